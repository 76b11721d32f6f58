"""Certificates while a process runs: contract 2.4."""

import asyncio

from fakes.identity_files import FakeIdentityFiles
from fakes.signer import FakeSigner
from signed_fleet import NOW_S, OWN, Chance, Listener
from trust_runtime.contracts.identity import IdentityChange
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.services.identity_watch import IdentityWatch
from trust_runtime.services.peers import Peers
from trust_runtime.services.signing import Signing

DAY_S = 86_400
SITE_B = SiteName("site-b")


class Scene(Listener):
    """A runtime whose certificate ends in so many days."""

    def __init__(self, days: float, *, profile: Profile = Profile.DEV) -> None:
        super().__init__(profile=profile)
        self.signer = FakeSigner(OWN, not_after_s=NOW_S + int(days * DAY_S))
        self.signing = Signing(own=OWN, signer=self.signer, clock=self.clock, entropy=Chance())
        self.peers = Peers(
            own=OWN,
            running=self.running,
            signing=self.signing,
            clock=self.clock,
            log=self.log,
        )
        self.files = FakeIdentityFiles(self._use)
        self.watch = IdentityWatch(
            running=self.running,
            signing=self.signing,
            peers=self.peers,
            files=self.files,
            clock=self.clock,
            log=self.log,
        )
        self.told: list[IdentityChange] = []
        self.days: list[int] = []
        self.watch.on_change = self.told.append
        self.watch.on_expiry = self.days.append

    def look(self) -> None:
        asyncio.run(self.watch.look())

    def _use(self, change: IdentityChange) -> None:
        if change.own:
            self.signer._facts = FakeSigner(OWN, "renewed")._facts


def test_an_end_far_away_is_no_news() -> None:
    here = Scene(31)
    here.look()
    assert (here.days, here.watch.reasons(), here.log.lines) == ([], (), [])
    assert here.watch.expires_in_s == 31 * DAY_S


def test_an_end_that_is_near_is_told_once_a_day() -> None:
    here = Scene(29.5)
    for _ in range(5):
        here.look()
        here.pass_ns(DAY_S * NS_PER_S // 4)
    assert here.days == [29, 28]
    assert here.watch.reasons() == ("identity: the certificate ends in 28 days",)
    assert here.log.events() == ["certificate_ends"] * 2


def test_the_last_day_and_those_after_it_are_told() -> None:
    here = Scene(0.5)
    here.look()
    assert here.watch.reasons() == ("identity: the certificate ends in less than a day",)
    here.pass_ns(2 * DAY_S * NS_PER_S)
    here.look()
    assert here.days == [0, -2]
    assert here.watch.reasons() == ("identity: the certificate ended 2 days ago",)
    assert (here.watch.expires_in_s or 0) < 0


def test_a_renewal_ends_the_warnings_and_the_next_end_begins_them_anew() -> None:
    here = Scene(1)
    here.look()
    here.files.changes.append(IdentityChange(own=True))
    here.look()
    assert here.told == [IdentityChange(own=True)]
    assert here.watch.reasons() == ()
    assert here.days == [1]
    here.signer._facts = FakeSigner(OWN, not_after_s=NOW_S + DAY_S)._facts
    here.look()
    assert here.days == [1, 1]


def test_a_change_judges_everybody_at_once() -> None:
    here = Scene(100, profile=Profile.PLANT)
    here.signer.bundles = {}
    here.files.changes.append(IdentityChange(trust=(SITE_B,)))
    here.look()
    assert here.peers.own_trust_reason is TrustReason.CHAIN_INVALID
    assert here.watch.distrust is not None
    assert here.log.lines[0].message == "certificates changed: site-b"
