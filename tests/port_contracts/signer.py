"""What every `Signer` must do."""

from typing import Protocol

import pytest

from trust_runtime.contracts.envelope import TokenType
from trust_runtime.contracts.errors import TokenInvalid
from trust_runtime.contracts.identity import ChainFault
from trust_runtime.contracts.ids import RuntimeId, spiffe_id
from trust_runtime.ports.signer import Signer

PRESS = RuntimeId("site-b/press-2")
CLAIMS = {"iss": spiffe_id(PRESS), "seq": 2**53 + 1, "text": "ä\n", "list": [1, None, True]}


class World(Protocol):
    """Runtimes with keys."""

    def signer(self, runtime_id: RuntimeId) -> Signer:
        """Return a signer with a new key of its own."""
        ...


class SignerContract:
    def test_a_token_comes_back_with_its_signer_and_claims(self, world: World) -> None:
        own = world.signer(PRESS)
        token = own.sign(TokenType.BEACON, CLAIMS)
        facts, claims = world.signer(RuntimeId("press-1")).verify(TokenType.BEACON, token)
        assert claims == CLAIMS
        assert (facts.runtime_id, facts.pin) == (PRESS, own.own_pin)
        assert facts.not_before_s < own.own_not_after_s == facts.not_after_s

    def test_keys_and_certificates_differ(self, world: World) -> None:
        one, two = world.signer(PRESS), world.signer(PRESS)
        assert one.own_pin != two.own_pin
        assert one.own_fingerprint != two.own_fingerprint
        assert all(len(text) == 64 for text in (one.own_pin, one.own_fingerprint))

    def test_one_type_is_never_another(self, world: World) -> None:
        signer = world.signer(PRESS)
        for signed in TokenType:
            token = signer.sign(signed, CLAIMS)
            for read in TokenType:
                if read is not signed:
                    with pytest.raises(TokenInvalid, match="typ"):
                        signer.verify(read, token)

    def test_no_changed_byte_is_accepted(self, world: World) -> None:
        signer = world.signer(PRESS)
        token = signer.sign(TokenType.REPLY, CLAIMS)
        for place in range(0, len(token), 7):
            changed = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
            with pytest.raises(TokenInvalid):
                signer.verify(TokenType.REPLY, changed)

    def test_the_signature_of_another_token_is_refused(self, world: World) -> None:
        signer = world.signer(PRESS)
        one = signer.sign(TokenType.ACTION, CLAIMS)
        two = signer.sign(TokenType.ACTION, {**CLAIMS, "seq": 1})
        mixed = one.rpartition(b".")[0] + b"." + two.rpartition(b".")[2]
        with pytest.raises(TokenInvalid):
            signer.verify(TokenType.ACTION, mixed)

    @pytest.mark.parametrize("token", [b"", b"a", b"a.b", b"a.b.c", b"....", b"\xff.\xff.\xff"])
    def test_what_is_no_token_is_undecodable(self, world: World, token: bytes) -> None:
        with pytest.raises(TokenInvalid) as caught:
            world.signer(PRESS).verify(TokenType.ACTION, token)
        assert caught.value.undecodable

    def test_the_own_identity_is_as_others_read_it(self, world: World) -> None:
        own = world.signer(PRESS)
        identity = own.own_identity
        assert (identity.own, identity.site) == (PRESS, "site-b")
        assert (identity.pin, identity.fingerprint) == (own.own_pin, own.own_fingerprint)
        assert identity.not_after_s == own.own_not_after_s
        assert identity.problem is None

    def test_nobody_of_a_site_without_a_bundle_has_a_chain(self, world: World) -> None:
        facts, _ = world.signer(RuntimeId("press-1")).verify(
            TokenType.BEACON, world.signer(PRESS).sign(TokenType.BEACON, CLAIMS)
        )
        chain = world.signer(RuntimeId("press-1")).chain_of(facts)
        assert chain.runtime_id == PRESS
        assert chain.leaf.uris == (spiffe_id(PRESS),)
        assert (chain.issuers, chain.fault) == ((), ChainFault.NO_BUNDLE)

    @pytest.mark.parametrize("claims", [{}, {"iss": spiffe_id(RuntimeId("press-2"))}])
    def test_the_issuer_is_the_signer(self, world: World, claims: dict[str, str]) -> None:
        signer = world.signer(PRESS)
        token = signer.sign(TokenType.ACTION, claims)
        with pytest.raises(TokenInvalid, match="iss"):
            signer.verify(TokenType.ACTION, token)
