import pytest

from fakes.signer import FakeSigner
from port_contracts.signer import PRESS, SignerContract
from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.ids import RuntimeId, spiffe_id


class SeededWorld:
    """See `port_contracts.signer.World`."""

    def __init__(self) -> None:
        self._made = 0

    def signer(self, runtime_id: RuntimeId) -> FakeSigner:
        self._made += 1
        return FakeSigner(runtime_id, str(self._made))


@pytest.fixture
def world() -> SeededWorld:
    return SeededWorld()


class TestFakeSigner(SignerContract):
    pass


def test_equal_seeds_give_equal_tokens() -> None:
    claims = {"iss": spiffe_id(PRESS)}
    tokens = [FakeSigner(PRESS, seed).sign(TokenType.REPLY, claims) for seed in ("a", "a", "b")]
    assert tokens[0] == tokens[1] != tokens[2]
