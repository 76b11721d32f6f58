"""Two sites, both deciding: a rule that comes or goes counts from the next decision on (9.2, I1).

In memory, with real signatures and the real configuration path at both ends.
"""

from typing import Any

import pytest
from msgspec import structs

from service_world import ADMIN, Node, Scene, configure, virtual
from trust_runtime.contracts.audit import Outcome, Verdict
from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.results import DispatchReport, ResultStatus

RULES = "runtime_cloud.wan.allow_write"
OUT = {"action": "cfg_apply", "target": "site-b/*"}
IN = {"action": "cfg_apply", "target": "press-2", "from": "default-site/press-1"}
"""As written at `site-b/press-2`: a bare name means its own site."""

NO = DenialCode.PERMISSION_DENIED
FAR = "site-b/press-2"


class Sites:
    """press-1 without a site, and press-2 of site-b."""

    def __init__(self, one: Node, two: Node) -> None:
        self.one, self.two = one, two
        self._asked = 0

    def meet(self) -> None:
        """Have each hear what the other says of itself now."""
        self.one.hears(self.two)
        self.two.hears(self.one)

    async def rules(self, node: Node, *rules: dict[str, str]) -> None:
        """Write the rules of a runtime through its own configuration path."""
        self._asked += 1
        asked = configure(f"rules-{self._asked}", node.id, payload={"params": {RULES: list(rules)}})
        report = await node.services.actions.dispatch(
            structs.replace(asked, connected_via=node.id), ADMIN
        )
        assert report.ok, report

    async def write(self) -> DispatchReport:
        """Have press-1 write into site-b."""
        self._asked += 1
        return await self.one.services.actions.dispatch(
            configure(f"write-{self._asked}", FAR), ADMIN
        )

    def writes_done(self) -> int:
        """Return how many of its writes took effect at the far end."""
        return sum(r.outcome is Outcome.EXECUTED for r in self.far_records())

    def far_records(self) -> list[Any]:
        """Return what the far end recorded of the last write."""
        return self.two.records(request_id=f"write-{self._asked}")


async def sites(scene: Scene) -> Sites:
    made = Sites(await scene.node("press-1"), await scene.node(FAR))
    for node in (made.one, made.two):
        scene.tasks.create_task(node.services.config.run(), name="configuration")
    made.meet()
    return made


def verdict(report: DispatchReport) -> tuple[ResultStatus, DenialCode | None, bool]:
    """Return how it ended, with which code, and whether the origin had allowed it."""
    (result,) = report.results
    return result.status, result.denial_code, report.preflight.allowed


DENIED_HERE = (ResultStatus.DENIED, NO, False)
DENIED_THERE = (ResultStatus.DENIED, NO, True)
DONE = (ResultStatus.EXECUTED, None, True)


@virtual
async def test_a_rule_counts_from_the_next_decision_on_and_so_does_its_end(scene: Scene) -> None:
    fleet = await sites(scene)
    assert verdict(await fleet.write()) == DENIED_HERE
    await fleet.rules(fleet.one, OUT)
    assert verdict(await fleet.write()) == DENIED_HERE  # The target's last word.
    await fleet.rules(fleet.two, IN)
    fleet.meet()
    assert verdict(await fleet.write()) == DONE
    assert fleet.writes_done() == 1
    await fleet.rules(fleet.one)
    assert verdict(await fleet.write()) == DENIED_HERE
    assert fleet.far_records() == []


@virtual
async def test_doing_what_would_allow_it_allows_it_and_half_of_it_does_not(scene: Scene) -> None:
    fleet = await sites(scene)
    by_id = {node.id: node for node in (fleet.one, fleet.two)}
    told = (await fleet.write()).preflight.would_allow
    assert told is not None
    assert told.possible
    assert [change.at for change in told.changes] == ["press-1", FAR]
    for change in told.changes:
        assert verdict(await fleet.write()) == DENIED_HERE
        assert change.rule is not None
        await fleet.rules(by_id[RuntimeId(change.at or "")], to_plain(change.rule))
        fleet.meet()
    report = await fleet.write()
    assert verdict(report) == DONE
    assert report.preflight.would_allow is None


@virtual
async def test_the_target_denies_although_the_origin_has_not_heard_of_it_yet(scene: Scene) -> None:
    fleet = await sites(scene)
    await fleet.rules(fleet.one, OUT)
    await fleet.rules(fleet.two, IN)
    fleet.meet()
    await fleet.rules(fleet.two)
    report = await fleet.write()
    assert verdict(report) == DENIED_THERE
    assert 'from = "default-site/press-1"' in (report.results[0].remedy or "")
    assert fleet.writes_done() == 0
    (record,) = fleet.far_records()
    assert (record.origin, record.decision, record.denial_code) == ("press-1", Verdict.DENIED, NO)


@pytest.mark.parametrize(
    ("here", "there", "wanted"),
    [
        pytest.param([OUT], [], DENIED_HERE, id="only the origin's rule"),
        pytest.param([], [IN], DENIED_HERE, id="only the target's rule"),
        pytest.param([OUT], [IN], DONE, id="both"),
        pytest.param([IN], [OUT], DENIED_HERE, id="each at the wrong end"),
        pytest.param([OUT | {"action": "cmd_invoke"}], [IN], DENIED_HERE, id="another action"),
        pytest.param([OUT], [IN | {"action": "cmd_invoke"}], DENIED_HERE, id="and there"),
        pytest.param([OUT | {"target": "site-b*"}], [IN], DENIED_HERE, id="no slash in a star"),
        pytest.param([OUT | {"from": "press-2"}], [IN], DENIED_HERE, id="from another one here"),
        pytest.param([OUT], [IN | {"from": "press-1"}], DENIED_HERE, id="site-b's own press-1"),
        pytest.param([OUT], [IN | {"from": "default-site/*"}], DONE, id="a whole site"),
        pytest.param([OUT | {"target": "*/press-2"}], [IN], DONE, id="a name in every site"),
    ],
)
@virtual
async def test_both_ends_need_a_rule(
    scene: Scene, here: list[dict[str, str]], there: list[dict[str, str]], wanted: Any
) -> None:
    fleet = await sites(scene)
    await fleet.rules(fleet.one, *here)
    await fleet.rules(fleet.two, *there)
    fleet.meet()
    assert verdict(await fleet.write()) == wanted
    assert fleet.writes_done() == (wanted == DONE)


@virtual
async def test_a_target_with_more_rules_than_a_beacon_holds_stays_heard(scene: Scene) -> None:
    fleet = await sites(scene)
    many = [IN | {"from": f"site-{number}/press-with-a-long-name"} for number in range(300)]
    await fleet.rules(fleet.one, OUT)
    await fleet.rules(fleet.two, *many)
    fleet.meet()
    assert fleet.one.services.peers.rejected == {}
    assert verdict(await fleet.write()) == DENIED_THERE  # What was cut off only the target knows.
    await fleet.rules(fleet.two, *many, IN)
    fleet.meet()
    assert verdict(await fleet.write()) == DONE
