import pytest

from trust_runtime.adapters.http.presented import tokens_of


@pytest.mark.parametrize(
    ("headers", "tokens"),
    [
        ([], ()),
        ([(b"cookie", b"token=t"), (b"x-token", b"t")], ()),
        ([(b"x-trust-token", b"t")], (b"t",)),
        ([(b"x-trust-token", b" t ")], (b"t",)),
        ([(b"authorization", b"Bearer t")], (b"t",)),
        ([(b"authorization", b"bEARER   t ")], (b"t",)),
        ([(b"x-trust-token", b"t"), (b"authorization", b"Bearer t")], (b"t",)),
        ([(b"x-trust-token", b"t"), (b"x-trust-token", b"t")], (b"t",)),
        ([(b"x-trust-token", b"t"), (b"authorization", b"Bearer u")], (b"t", b"u")),
        ([(b"x-trust-token", b"t"), (b"x-trust-token", b"u")], (b"t", b"u")),
        ([(b"x-trust-token", b"t"), (b"authorization", b"Basic x")], (b"t", b"Basic x")),
        ([(b"authorization", b"t")], (b"t",)),
        ([(b"authorization", b"Bearer")], (b"",)),
        ([(b"authorization", b"Bearer a b")], (b"a b",)),
        ([(b"x-trust-token", b"")], (b"",)),
    ],
)
def test_every_token_that_is_presented_counts(
    headers: list[tuple[bytes, bytes]], tokens: tuple[bytes, ...]
) -> None:
    assert tokens_of(headers) == tokens
