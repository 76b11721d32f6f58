"""Peers in plant and wan: chains to the bundle of their own site (2.4; T21, T22, S10)."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.clock import FakeClock
from fakes.signer import YEAR_S, FakeSigner
from signed_fleet import NOW_S, OTHER, OWN, Chance, Listener, Speaker
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName, site_of
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import Lifecycle, TrustReason
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.services.peers import Peers
from trust_runtime.services.signing import Signing
from trust_runtime.services.trust import Trust

SITE_B = SiteName("site-b")
CA_B, CA_OWN = "site-b CA", "default-site CA"
BUNDLES = {DEFAULT_SITE: CA_OWN, SITE_B: CA_B}
INVALID = TrustReason.CHAIN_INVALID


class Plant(Listener):
    """A listener that trusts two sites by their bundles, with cheap signatures."""

    def __init__(self, profile: Profile = Profile.PLANT, *, own_ca: str = CA_OWN) -> None:
        super().__init__(profile=profile)
        self.signer = FakeSigner(OWN, ca=own_ca, bundles=dict(BUNDLES))
        self.signing = Signing(own=OWN, signer=self.signer, clock=self.clock, entropy=Chance())
        self.peers = Peers(
            own=OWN,
            running=self.running,
            signing=self.signing,
            clock=self.clock,
            log=self.log,
        )

    def bundles(self, bundles: Mapping[SiteName, str]) -> None:
        """Install other bundles."""
        self.signer.bundles = bundles

    def says(self, speaker: Speaker) -> TrustReason | None:
        """Hear a beacon; return the trust in its runtime afterwards."""
        self.peers.take_token(speaker.token, alive=True)
        self.peers.take_beacon(speaker.beacon())
        peer = self.peers.get(speaker.runtime)
        return TrustReason.NEVER_SEEN if peer is None else peer.trust_reason


def speaker(
    clock: FakeClock,
    ca: str,
    *,
    runtime: RuntimeId = OTHER,
    key: str = "",
    number: int = 1,
    ends_s: int = NOW_S + YEAR_S,
) -> Speaker:
    made = Speaker(clock, runtime, number=number)
    signer = FakeSigner(runtime, key, ca=ca, not_after_s=ends_s)
    made.signing = Signing(own=runtime, signer=signer, clock=clock, entropy=Chance())
    return made


@pytest.mark.parametrize("profile", [Profile.PLANT, Profile.WAN])
@pytest.mark.parametrize(
    ("ca", "reason"), [(CA_B, None), (CA_OWN, INVALID), ("", INVALID), ("forged", INVALID)]
)
def test_only_the_ca_of_its_own_site_vouches_for_a_peer(
    profile: Profile, ca: str, reason: TrustReason | None
) -> None:
    here = Plant(profile)
    them = speaker(here.clock, ca)
    assert here.says(them) is reason
    assert here.peers.admit(FakeSigner(OTHER, ca=ca).own_signer) is reason


@given(
    st.sampled_from(["press-9", "site-b/x", "site-c/x"]),
    st.sampled_from([CA_OWN, CA_B, "site-c CA", ""]),
)
def test_a_ca_never_vouches_for_another_site(runtime: str, ca: str) -> None:
    here = Plant()
    named = RuntimeId(runtime)
    reason = here.peers.admit(FakeSigner(named, ca=ca).own_signer)
    assert (reason is None) == (BUNDLES.get(site_of(named)) == ca)


def test_keys_are_not_pinned_where_chains_count() -> None:
    here = Plant()
    first = speaker(here.clock, CA_B, key="first")
    assert here.says(first) is None
    here.peers.take_token(first.token, alive=False)
    second = speaker(here.clock, CA_B, key="second", number=2)
    assert here.says(second) is None
    peer = here.peers.get(OTHER)
    assert peer is not None
    assert peer.record.pin == second.signing.own_pin


def test_nobody_untrusted_takes_the_place_of_a_trusted_peer() -> None:
    here = Plant()
    them = speaker(here.clock, CA_B)
    here.says(them)
    forged = speaker(here.clock, CA_OWN, key="forged", number=9)
    forged.seq = 1_000
    before = here.peers.get(OTHER)
    assert before is not None
    status = before.record.status
    assert here.says(forged) is None
    assert before.record.status == status
    assert here.peers.rejected == {"untrusted": 1}
    # Its high number has not made the next true beacon an old one.
    assert here.says(them) is None
    assert here.peers.rejected == {"untrusted": 1}


def test_a_stranger_with_our_name_is_no_second_of_us() -> None:
    here = Plant()
    here.says(speaker(here.clock, CA_B, runtime=OWN, key="forged", number=9))
    assert here.peers.own_trust_reason is None
    assert here.peers.rejected == {"untrusted": 1}


def test_an_untrusted_peer_is_shown_until_the_true_one_speaks() -> None:
    here = Plant()
    assert here.says(speaker(here.clock, "forged", key="forged", number=9)) is INVALID
    assert here.says(speaker(here.clock, CA_B, number=8)) is None


def test_a_bundle_that_goes_takes_the_trust_with_it_and_brings_it_back() -> None:
    here = Plant()
    them = speaker(here.clock, CA_B)
    here.says(them)
    here.bundles({DEFAULT_SITE: CA_OWN})
    assert here.peers.admit(FakeSigner(OTHER, ca=CA_B).own_signer) is INVALID
    here.peers.evaluate()
    peer = here.peers.get(OTHER)
    assert peer is not None
    assert peer.trust_reason is INVALID
    assert "no usable bundle of site-b is installed" in here.log.lines[-1].message
    assert here.says(them) is INVALID
    here.bundles(BUNDLES)
    assert here.says(them) is None


def test_a_certificate_that_ends_meanwhile_ends_the_trust() -> None:
    here = Plant()
    them = speaker(here.clock, CA_B, ends_s=NOW_S + 10)
    assert here.says(them) is None
    here.pass_ns(11 * NS_PER_S)
    assert here.says(them) is TrustReason.EXPIRED
    renewed = speaker(here.clock, CA_B, number=2)
    assert here.says(renewed) is None


@pytest.mark.parametrize(
    ("profile", "own_ca", "reason"),
    [
        (Profile.DEV, "", None),
        (Profile.PLANT, CA_OWN, None),
        (Profile.PLANT, "", INVALID),
        (Profile.WAN, CA_B, INVALID),
    ],
)
def test_a_runtime_does_not_trust_itself_when_it_is_unfit(
    profile: Profile, own_ca: str, reason: TrustReason | None
) -> None:
    here = Plant(profile, own_ca=own_ca)
    here.peers.evaluate()
    assert here.peers.own_trust_reason is reason


@pytest.mark.parametrize("profile", Profile)
def test_no_runtime_trusts_itself_past_its_end(profile: Profile) -> None:
    here = Plant(profile)
    here.peers.evaluate()
    here.pass_ns(11 * YEAR_S * NS_PER_S)
    here.peers.evaluate()
    assert here.peers.own_trust_reason is TrustReason.EXPIRED
    assert "is unfit" in here.log.lines[-1].message


def test_a_raised_profile_judges_by_chains_at_once() -> None:
    here = Plant(Profile.DEV)
    assert here.says(speaker(here.clock, "")) is None
    here.running.settings = Plant().running.settings
    here.peers.evaluate()
    peer = here.peers.get(OTHER)
    assert peer is not None
    assert peer.trust_reason is INVALID
    assert (peer.lifecycle, here.peers.trust.uses_pins) == (Lifecycle.ONLINE, False)


def test_in_dev_everybody_with_a_signature_may_speak() -> None:
    here = Plant(Profile.DEV)
    them = speaker(here.clock, CA_B)
    assert here.says(them) is None
    here.peers.take_token(them.token, alive=False)
    changed = here.says(speaker(here.clock, "", key="other", number=2))
    assert changed is TrustReason.IDENTITY_CHANGED
    assert isinstance(here.peers.trust, Trust)
