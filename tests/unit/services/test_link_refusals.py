"""`services.link_refusals`: told in time, and never more often than people can read."""

import pytest

from fakes.store import FakeStore
from fakes.timeline import FakeTimeline
from signed_fleet import OWN, Listener
from trust_runtime.contracts.link_refusals import LinkFault, LinkRefusal, LinkSide
from trust_runtime.contracts.timeline import Category, TimelineEvent
from trust_runtime.services.link_refusals import LinkRefusals
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.timeline import Timeline

CAME = LinkRefusal(side=LinkSide.ACCEPT, fault=LinkFault.EXPIRED, detail="expired")


def went(address: str = "plc-2:1", fault: LinkFault = LinkFault.NAME_MISMATCH) -> LinkRefusal:
    return LinkRefusal(side=LinkSide.CONNECT, fault=fault, detail="x", address=address)


class Scene:
    """The service and what it tells."""

    def __init__(self) -> None:
        self.here = Listener()
        timeline = Timeline(
            own=OWN,
            running=self.here.running,
            peers=self.here.peers,
            signing=self.here.signing,
            mesh=self.here.wire,
            store=FakeTimeline(FakeStore()),
            health=StoreHealth(self.here.log),
            clock=self.here.clock,
            entropy=self.here.chance,
        )
        self.events: list[TimelineEvent] = []
        timeline.on_event = self.events.append
        self.refused = LinkRefusals(
            own=OWN, timeline=timeline, clock=self.here.clock, log=self.here.log
        )
        self.changes = 0
        self.refused.on_change = self._changed

    def _changed(self) -> None:
        self.changes += 1

    def later(self, seconds: float) -> None:
        self.here.clock.advance_ms(seconds * 1_000)

    @property
    def logged(self) -> list[str]:
        return [line.message for line in self.here.log.lines if line.event == "mesh_link_refused"]


def test_the_first_of_a_kind_is_logged_and_made_an_event() -> None:
    scene = Scene()
    scene.refused.take(CAME)
    assert len(scene.logged) == len(scene.events) == scene.changes == 1
    assert scene.events[0].category is Category.SECURITY
    assert scene.events[0].data == {
        "side": "accept",
        "fault": "certificate_expired",
        "address": None,
        "count": 1,
    }


def test_a_flood_is_one_line_a_minute_with_its_count() -> None:
    scene = Scene()
    for _ in range(1_000):
        scene.refused.take(CAME)
    assert len(scene.events) == 1
    scene.later(60)
    scene.refused.take(CAME)
    assert len(scene.events) == len(scene.logged) == 2
    assert scene.events[1].data is not None
    assert scene.events[1].data["count"] == 1_000
    assert scene.refused.counts() == {"accept:certificate_expired": 1_001}


def test_another_kind_is_told_at_once() -> None:
    scene = Scene()
    scene.refused.take(went("a:1"))
    scene.refused.take(went("b:1"))
    scene.refused.take(went("a:1", LinkFault.EXPIRED))
    assert len(scene.events) == 3


def test_who_knocks_makes_nobody_unhealthy() -> None:
    scene = Scene()
    scene.refused.take(CAME)
    assert scene.refused.reasons() == ()


def test_a_link_we_want_is_a_reason_while_it_is_refused() -> None:
    scene = Scene()
    scene.refused.take(went())
    assert scene.refused.reasons() == (
        "link to plc-2:1 refused: the certificate does not name this address",
    )
    scene.later(15)
    assert scene.refused.reasons() != ()
    scene.later(0.001)
    assert scene.refused.reasons() == ()


def test_who_refuses_us_is_named_as_such() -> None:
    scene = Scene()
    scene.refused.take(
        LinkRefusal(
            side=LinkSide.CONNECT,
            fault=LinkFault.EXPIRED,
            detail="x",
            address="plc-2:1",
            by_them=True,
        )
    )
    assert "refused by the other end" in scene.refused.reasons()[0]


def test_no_number_of_addresses_makes_the_beacon_long() -> None:
    scene = Scene()
    for number in range(1_000):
        scene.refused.take(went(f"h:{number}"))
    reasons = scene.refused.reasons()
    assert len(reasons) == 9
    assert reasons[-1] == "120 more links refused"


@pytest.mark.parametrize("fault", list(LinkFault))
def test_every_fault_has_its_words(fault: LinkFault) -> None:
    scene = Scene()
    scene.refused.take(went(fault=fault))
    assert len(scene.refused.reasons()) == 1


@pytest.mark.parametrize(
    ("fault", "by_them", "expired"),
    [
        (LinkFault.EXPIRED, True, True),
        (LinkFault.EXPIRED, False, False),
        (LinkFault.UNKNOWN_CA, True, False),
    ],
)
def test_others_say_that_the_own_certificate_has_expired(
    fault: LinkFault, *, by_them: bool, expired: bool
) -> None:
    scene = Scene()
    assert not scene.refused.own_certificate_expired()
    scene.refused.take(LinkRefusal(side=LinkSide.ACCEPT, fault=fault, detail="x", by_them=by_them))
    assert scene.refused.own_certificate_expired() is expired
    scene.later(16)
    assert not scene.refused.own_certificate_expired()
