from trust_runtime.contracts.credentials import Presented


def test_no_token_is_shown() -> None:
    one = Presented(address="10.0.0.9", is_loopback=False, is_forwarded=False, tokens=(b"canary",))
    assert "canary" not in f"{one} {one!r}"
    assert "10.0.0.9" in repr(one)
