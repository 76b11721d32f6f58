from typing import Any

import pytest
from msgspec import structs

from fakes.clock import FakeClock
from signed_fleet import OTHER, OWN, Speaker, boot, settings_of, signer_of
from trust_runtime.contracts.audit import EMPTY_CHAIN, Outcome
from trust_runtime.contracts.codec import canonical_json
from trust_runtime.contracts.config import ConfigState
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.fleet import Health
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import AllowRule
from trust_runtime.contracts.presence import AcceptedWrite, MeshReport, WebReport
from trust_runtime.core.config.keys import CONFIG_SCHEMA_DIGEST
from virtual_time import run_virtual
from whole_runtime import Whole

THIRD = RuntimeId("press-3")
FAULT = StoreFailed("the disk is full", "free space")
READY = {
    "engine": "absent",
    "state_db": "ok",
    "control": "ok",
    "mesh": "open",
    "profile": "ok",
}


def skewed(here: Whole, runtime: RuntimeId, *, ahead_ms: int) -> None:
    """Have a runtime come online whose clock is so much ahead."""
    clock = FakeClock(here.clock.time, wall_error_ms=ahead_ms)
    speaker = Speaker(clock, runtime)
    here.peers.take_token(speaker.token, alive=True)
    here.peers.take_beacon(speaker.beacon())


def off(**changes: Any) -> dict[str, Any]:
    """Return the setting of a mesh with changes."""
    return {"mesh": structs.replace(settings_of().mesh, **changes)}


def test_a_runtime_without_trouble_says_what_it_is() -> None:
    here = Whole()
    here.clock.advance_ms(1_234)
    here.status.web_port = 8_080

    beacon = here.status.beacon()

    assert here.status.degraded_reasons() == ()
    assert (beacon.health, beacon.health_reasons) == (Health.HEALTHY, ())
    assert beacon.boot_id == here.running.boot_id == boot(1_000)
    assert (beacon.engine_state, beacon.debug_enabled) == ("absent", False)
    assert (beacon.version, beacon.uptime_ms, beacon.host_key) == ("0.1.0", 1_234, "host")
    assert beacon.period_ms == 1_000
    assert beacon.web == WebReport(port=8_080, tls=False)
    assert beacon.mesh == MeshReport(
        port=7_447, tls=False, role="peer", addresses=("127.0.0.1:7447",)
    )
    assert (beacon.config.state, beacon.config.schema) == (
        ConfigState.IN_SYNC,
        CONFIG_SCHEMA_DIGEST,
    )
    assert beacon.audit_head == EMPTY_CHAIN
    assert beacon.accepts == ()


def test_what_is_off_is_not_told_as_there() -> None:
    here = Whole(**off(role="client"))
    beacon = here.status.beacon()
    assert beacon.web is None
    assert (beacon.mesh.port, beacon.mesh.role) == (0, "client")


def test_the_chain_s_head_is_that_of_the_store() -> None:
    here = Whole()

    async def main() -> None:
        (record,) = await here.audit.append(
            [here.audit.local("process.start", outcome=Outcome.EXECUTED)]
        )
        head = here.status.beacon().audit_head
        assert (head.seq, head.hash) == (1, record.hash)

    run_virtual(here.clock, main)


def test_the_writes_it_accepts_are_told() -> None:
    rules = (
        AllowRule(action="cfg_apply", target=OWN, origin="site-b/*"),
        AllowRule(action="*", target="someone-else", origin="*"),
    )
    here = Whole(allow_write=rules)
    assert here.status.beacon().accepts == (AcceptedWrite(action="cfg_apply", origin="site-b/*"),)
    assert not here.status.beacon().accepts_cut


def test_more_rules_than_a_beacon_has_room_for_are_told_as_more() -> None:
    rules = [
        AllowRule(action="cfg_apply", target="*", origin=f"site-{n}/press") for n in range(900)
    ]
    beacon = Whole(allow_write=tuple(rules)).status.beacon()
    assert beacon.accepts_cut
    assert len(canonical_json(beacon)) < 8_192


def test_every_trouble_is_a_reason_that_names_its_part() -> None:
    here = Whole()
    here.health.failed(FAULT)
    here.status.mesh_problem = "the port is taken"
    here.status.discovery_problem = "interfaces missing: eth9"
    here.online(OWN, number=1, key="second")
    skewed(here, OTHER, ahead_ms=-6_000)

    reasons = here.status.degraded_reasons()

    assert reasons == (
        "state store: the disk is full",
        "mesh: the port is taken",
        "discovery: interfaces missing: eth9",
        "identity: duplicate_instance",
        f"clock skew: {OTHER} differs by -6000 ms",
    )
    assert (here.status.beacon().health, here.status.beacon().health_reasons) == (
        Health.DEGRADED,
        reasons,
    )
    assert here.status.health() == {
        "ok": False,
        "state": "boot",
        "engine": "absent",
        "health": Health.DEGRADED,
        "reasons": reasons,
    }


@pytest.mark.parametrize(
    ("ahead_ms", "said"), [(5_000, False), (5_001, True), (-5_000, False), (-5_001, True)]
)
def test_a_clock_counts_beyond_five_seconds_either_way(*, ahead_ms: int, said: bool) -> None:
    here = Whole()
    skewed(here, OTHER, ahead_ms=ahead_ms)
    assert bool(here.status.degraded_reasons()) is said


def test_the_clock_of_somebody_gone_is_no_trouble() -> None:
    here = Whole()
    skewed(here, OTHER, ahead_ms=9_000)
    here.peers.take_token(Speaker(here.clock).token, alive=False)
    assert here.status.degraded_reasons() == ()


def test_a_beacon_stays_short_when_everybody_s_clock_differs() -> None:
    here = Whole()
    for number in range(200):
        skewed(here, RuntimeId(f"a-rather-long-site/a-rather-long-name-{number}"), ahead_ms=9_000)

    assert here.status.degraded_reasons()[8:] == ("clock skew: 192 more differ",)
    assert len(canonical_json(here.status.beacon())) <= 8_192


@pytest.mark.parametrize(
    ("enabled", "is_open", "problem", "state"),
    [
        (False, False, None, "off"),
        (False, True, "no", "off"),
        (True, True, None, "open"),
        (True, False, None, "opening"),
        (True, False, "the port is taken", "the port is taken"),
    ],
)
def test_the_state_of_the_mesh_is_said_as_it_is(
    *, enabled: bool, is_open: bool, problem: str | None, state: str
) -> None:
    here = Whole(**off(enabled=enabled))
    here.wire.is_open = is_open
    here.status.mesh_problem = problem
    here.status.control_open = True

    assert here.status.status()["mesh"]["state"] == state
    readiness = here.status.readiness()
    assert readiness.checks == {**READY, "mesh": state}
    assert readiness.ok is (state in ("off", "open"))


def test_the_status_counts_who_is_online_and_what_was_refused() -> None:
    here = Whole()
    here.online()
    third = here.online(THIRD)
    here.peers.take_beacon(third.beacon(seq=1))
    here.peers.take_token("nonsense", alive=True)
    here.peers.take_token(third.token, alive=False)
    here.wire.lost = {"a": 2, "b": 3}
    here.running.ready = True

    status = here.status.status()

    assert status["mesh"] == {
        "state": "open",
        "tls": False,
        "reopen_required": False,
        "refused": {},
        "peers": 1,
        "dropped": 5,
        "rejected": {"replayed": 1, "token": 1},
    }
    assert (status["state"], status["engine"], status["program"]) == ("ready", "absent", "none")
    assert (status["runtime_id"], status["resource"]) == (OWN, "press-1")
    assert status["degraded_reasons"] == ()
    assert not {"cycle_ms", "overruns", "faults", "io"} & status.keys()


def test_before_it_is_ready_a_runtime_boots() -> None:
    here = Whole()
    assert here.status.status()["state"] == here.status.health()["state"] == "boot"
    here.running.ready = True
    assert here.status.health() == {
        "ok": True,
        "state": "ready",
        "engine": "absent",
        "health": Health.HEALTHY,
        "reasons": (),
    }


def test_readiness_fails_for_each_part_that_is_not() -> None:
    here = Whole()
    assert here.status.readiness().checks == {**READY, "control": "control socket is not open"}
    assert not here.status.readiness().ok

    here.status.control_open = True
    ready = here.status.readiness()
    assert (ready.ok, ready.checks, ready.denial_code) == (True, READY, None)

    here.health.failed(FAULT)
    broken = here.status.readiness()
    assert (broken.ok, broken.checks) == (False, {**READY, "state_db": "the disk is full"})
    assert broken.denial_code is DenialCode.TRANSPORT_FAILURE

    here.health.works()
    here.running.stopping = True
    assert here.status.readiness().checks == {**READY, "process": "stopping"}
    assert not here.status.readiness().ok


def test_no_key_is_in_what_it_tells() -> None:
    here = Whole(**off(auth_token="canary-0123456789"))  # noqa: S106 - the canary of this test
    told = f"{here.status.beacon()}{here.status.status()}{here.status.readiness()}"
    assert "canary" not in told
    assert signer_of(OWN).own_pin not in told


def test_certificates_are_reasons_and_preconditions_hold_readiness_up() -> None:
    here = Whole()
    here.running.ready = here.status.control_open = True
    here.status.identity_reasons = lambda: ("identity: the certificate ends in 9 days",)
    assert here.status.degraded_reasons() == ("identity: the certificate ends in 9 days",)
    assert here.status.readiness().ok
    here.status.unmet = lambda: ("runtime.web.tls=true", "identity")
    readiness = here.status.readiness()
    assert readiness.checks == {**READY, "profile": "needs runtime.web.tls=true, identity"}
    assert readiness.denial_code is DenialCode.NOT_CONFIGURED
    here.status.control_open = False
    assert here.status.readiness().denial_code is DenialCode.TRANSPORT_FAILURE
    here.status.mesh_reopen_required = True
    assert here.status.status()["mesh"]["reopen_required"]


def test_unmet_preconditions_are_facts_of_every_decision() -> None:
    here = Whole()
    here.status.unmet = lambda: ("identity",)
    assert here.fleet.decision_facts().unmet == ("identity",)
