"""What happens to a fleet: requests and faults at random, then peace, in which all must be well."""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from sim.attacker import Attacker
from sim.fleet import ALLOWED_ACROSS, Fleet, Machine
from sim.history import Dispatch
from sim.invariants import Violation
from sim.loop import wait_s
from sim.process import Process
from sim.watch import Watch
from trust_runtime.contracts.actions import ActionRequest, OnDenied
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.config import DesiredWrite
from trust_runtime.contracts.errors import StoreFailed
from trust_runtime.contracts.ids import site_of
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.results import ResultStatus
from trust_runtime.contracts.units import API_VERSION

OPERATOR: Final = Caller(identity="local://admin", role=Role.ADMIN)
ACTOR: Final = "spiffe://trust/default-site/operator"
PEACE_S: Final = 90.0
"""How long the fleet may take to find together again: clocks are compared over 64 beacons."""
QUIET_S: Final = 4.0
"""Longer than any budget, so that nothing is under way any more."""

_SKEW_MS: Final = 200
"""What is left of a skew that was measured, once the clocks are right."""
_FAULT_SHARE: Final = 0.5
_CLOCK_SHARE: Final = 0.15
_BUDGETS_MS: Final = (60, 150, 400, 1_500, 3_000)


class Workload:
    """One run: `steps` random things, then peace."""

    def __init__(self, fleet: Fleet, watch: Watch, *, steps: int) -> None:
        self._fleet = fleet
        self._watch = watch
        self._steps = steps
        self._chance = Random(f"workload {fleet.seed}")  # noqa: S311 - repeatable on purpose
        self._attacker = Attacker(fleet, self._chance)
        self._requests = 0
        self._menu: list[tuple[int, Callable[[], None]]] = [
            (40, self._dispatch),
            (14, self._ask_again),
            (3, self._ask_otherwise),
            (8, self._write_desired),
            (6, self._start),
            *self._some_faults(),
        ]

    def _some_faults(self) -> list[tuple[int, Callable[[], None]]]:
        """Return the faults of this run: not all at once, or the rare ones drown in the others."""
        faults = [
            (5, self._kill),
            (5, self._kill_soon),
            (5, self._pause),
            (2, self._stop),
            (6, self._cut),
            (6, self._worsen),
            (5, self._improve),
            (2, self._swizzle),
            (4, self._trouble_disk),
            (12, self._attacker.act),
        ]
        # Clocks are compared over 64 beacons, so a run with steps takes three times as long.
        clock = [(3, self._step_clock)] if self._chance.random() < _CLOCK_SHARE else []
        return [*clock, *(one for one in faults if self._chance.random() < _FAULT_SHARE)]

    async def run(self) -> None:
        """Do it all, or stop at the first violation."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch.run(), name="watch")
            try:
                await self._unsafe_phase()
                if not self._watch.violations:
                    await self._peace()
            finally:
                watching.cancel()

    async def _unsafe_phase(self) -> None:
        for machine in self._fleet:
            machine.start()
        await self._attacker.open()
        await self._fleet.wait_ready(5)
        await wait_s(2)
        weights = [weight for weight, _ in self._menu]
        deeds = [deed for _, deed in self._menu]
        for _ in range(self._steps):
            if self._watch.violations:
                return
            self._chance.choices(deeds, weights)[0]()
            await wait_s(self._chance.choice((0.001, 0.01, 0.05, 0.2, 0.5)))

    async def _peace(self) -> None:
        fleet = self._fleet
        await self._attacker.close()
        fleet.heal()
        if not await fleet.wait_ready(PEACE_S):
            self._blame("not every runtime became ready again")
            return
        if not await self._wait_until(self._all_see_all, PEACE_S):
            self._blame(f"they do not see each other: {self._views()}")
            return
        await wait_s(QUIET_S)
        await self._converge()
        await wait_s(QUIET_S)
        if not self._watch.violations:
            await self._restart_all()

    async def _restart_all(self) -> None:
        """Judge what is on the disks, also after what was left open there was closed."""
        self._watch.look_at_the_end()
        for machine in self._fleet:
            machine.kill(power=False)
        if not await self._fleet.wait_ready(PEACE_S):
            self._blame("not every runtime became ready after a restart")
        self._watch.look_at_the_end()

    async def _converge(self) -> None:
        """Ask everybody for something new, and for the result of what got no answer."""
        fleet = self._fleet
        asked: list[Dispatch] = []
        for machine in fleet:
            targets = [other.id for other in fleet if self._may_write(machine, other)]
            asked.append(self._ask(machine, self._request(machine, "cmd_invoke", targets)))
            lost = [d for d in fleet.history.dispatches if _is_unknown(d, machine, fleet.now_ns)]
            for dispatch in self._chance.sample(lost, min(3, len(lost))):
                request = _again(dispatch.request, query_budget_ms=3_000)
                asked.append(self._ask(machine, request))
        await self._wait_until(lambda: all(d.report is not None for d in asked), QUIET_S)
        for dispatch in asked:
            results = () if dispatch.report is None else dispatch.report.results
            silent = [
                r.runtime_id for r in results if r.status is ResultStatus.TIMEOUT and not r.replayed
            ]
            if dispatch.report is None or silent:
                self._blame(f"{dispatch.request.request_id} got no answer of {silent}")
        for dispatch in asked[: len(fleet.machines)]:
            report = dispatch.report
            if report is not None and not report.ok and dispatch.request.request_id.startswith("p"):
                self._blame(f"{dispatch.origin}: {report.denial_code}: {report.denial_reason}")

    def _blame(self, text: str) -> None:
        self._fleet.history.tell("VIOLATION", f"liveness: {text}")
        self._watch.violations.append(Violation("liveness", text))

    def _all_see_all(self) -> bool:
        return all(
            peer is not None
            and peer.lifecycle is Lifecycle.ONLINE
            and peer.trust_reason is None
            and abs(peer.clock_skew_ms or 0) <= _SKEW_MS
            for _, _, peer in self._pairs()
        )

    def _pairs(self) -> list[tuple[Machine, Machine, Any]]:
        return [
            (one, two, one.peer(two.id) if one.is_up else None)
            for one in self._fleet
            for two in self._fleet
            if one is not two
        ]

    def _views(self) -> list[str]:
        return [
            f"{one.id} shows {two.id} "
            + (f"{peer.lifecycle} {peer.trust_reason} {peer.clock_skew_ms} ms" if peer else "never")
            for one, two, peer in self._pairs()
        ]

    async def _wait_until(self, holds: Callable[[], bool], within_s: float) -> bool:
        loop = self._fleet.loop
        due_s = loop.time() + within_s
        while not holds():
            if loop.time() > due_s or self._watch.violations:
                return False
            await wait_s(0.1)
        return True

    # Requests.

    def _dispatch(self) -> None:
        machine = self._any(lambda one: one.is_ready)
        if machine is None:
            return
        others = list(self._fleet)
        targets = self._chance.sample(others, self._chance.randint(1, len(others)))
        kind = self._chance.choices(("cfg_apply", "cmd_invoke", "status_read"), (4, 4, 2))[0]
        self._ask(machine, self._request(machine, kind, [one.id for one in targets]))

    def _ask_again(self) -> None:
        """Send an earlier request once more, as a client does that got no answer."""
        self._repeat(payload=None)

    def _ask_otherwise(self) -> None:
        """Send another request under an id that was used."""
        self._repeat(payload={"params": {"log.level": "debug"}})

    def _repeat(self, *, payload: dict[str, Any] | None) -> None:
        known = [d for d in self._fleet.history.dispatches[-40:] if d.request.api_version]
        if not known:
            return
        dispatch = self._chance.choice(known)
        machine = self._fleet.machine(dispatch.origin)
        if not machine.is_ready:
            return
        request = _again(dispatch.request, query_budget_ms=self._chance.choice(_BUDGETS_MS))
        if payload is not None:
            request = _again(request, action_type="cfg_apply", payload=payload)
        self._ask(machine, request)

    def _request(self, machine: Machine, kind: str, targets: list[Any]) -> ActionRequest:
        self._requests += 1
        chance = self._chance
        payload: dict[str, Any] = {}
        if kind == "cmd_invoke":
            payload = {"command": chance.choice(("health", "status", "config.get"))}
        elif kind == "cfg_apply":
            payload = {"params": self._patch()}
            if chance.random() < 0.2:
                payload["expected_revision"] = chance.randint(0, 5)
        peace = not self._attacker.is_open
        return ActionRequest(
            api_version=API_VERSION,
            request_id=f"{'p' if peace else 'r'}-{self._requests}",
            connected_via=machine.id,
            target_runtimes=list(targets),
            actor=ACTOR,
            action_type=kind,
            query_budget_ms=3_000 if peace else chance.choice(_BUDGETS_MS),
            dry_run=chance.random() < 0.05 and not peace,
            on_denied=chance.choice((OnDenied.ABORT, OnDenied.CONTINUE)),
            payload=payload,
        )

    def _patch(self) -> dict[str, Any]:
        return self._chance.choice(
            (
                {"log.level": self._chance.choice(("error", "warn", "info", "debug"))},
                {"runtime_cloud.presence.partition_after_ms": self._chance.randint(5_000, 60_000)},
                {"web.allowed_hosts": [f"host-{self._chance.randint(1, 3)}"]},
                {"no.such.key": 1},
            )
        )

    def _ask(self, machine: Machine, request: ActionRequest) -> Dispatch:
        process = machine.process
        assert process is not None
        dispatch = self._begin(machine, request, tuple(dict.fromkeys(request.target_runtimes)))
        kind = f"{request.action_type} to {len(dispatch.targets)} in {dispatch.budget_ms} ms"
        self._fleet.history.tell("ask", f"{request.request_id} {machine.id} {kind}")
        process.spawn(self._client(process, dispatch), f"client {request.request_id}")
        return dispatch

    def _begin(
        self, machine: Machine, request: ActionRequest, targets: tuple[str, ...]
    ) -> Dispatch:
        dispatch = Dispatch(
            origin=machine.id,
            request=request,
            targets=targets,
            begun_ns=self._fleet.now_ns,
            budget_ms=request.query_budget_ms or 0,
            disturbed=machine.is_slow,
        )
        self._fleet.history.dispatches.append(dispatch)
        return dispatch

    async def _client(self, process: Process, dispatch: Dispatch) -> None:
        assert process.services is not None
        report = await process.services.actions.dispatch(dispatch.request, OPERATOR)
        dispatch.report, dispatch.ended_ns = report, self._fleet.now_ns
        said = " ".join(
            f"{r.runtime_id}={r.status}{'*' if r.replayed else ''}/{r.denial_code or 'ok'}"
            for r in report.results
        )
        self._fleet.history.tell("answer", f"{report.request_id} {said}")
        for result in report.results:
            self._fleet.history.note(f"{result.status} {result.denial_code or ''}".strip())
            if result.replayed:
                self._fleet.history.note("replayed")
        self._watch.take_report(dispatch)

    def _write_desired(self) -> None:
        machine = self._any(lambda one: one.is_ready)
        if machine is None or machine.process is None:
            return
        self._requests += 1
        write = DesiredWrite(
            api_version=API_VERSION,
            actor=ACTOR,
            desired=self._patch(),
            request_id=f"d-{self._requests}",
        )
        request = ActionRequest(
            api_version="",
            request_id=f"d-{self._requests}",
            connected_via=machine.id,
            target_runtimes=[machine.id],
            actor=ACTOR,
            action_type="config.write",
            query_budget_ms=1_500,
        )
        self._begin(machine, request, (machine.id,))
        machine.process.spawn(self._writer(machine.process, write), f"writer {self._requests}")

    async def _writer(self, process: Process, write: DesiredWrite) -> None:
        assert process.services is not None
        answer: ConfigAnswer | None = None
        try:
            answer = await process.services.desired.write_desired(write, OPERATOR, if_match=None)
        except StoreFailed:
            self._fleet.history.tell("refused", f"{write.request_id}: the store failed")
            return
        self._watch.take_config_answer(process.machine, answer)
        self._fleet.history.tell("answer", f"{write.request_id} changed={answer.changed}")

    # Faults.

    def _later(self, delay_s: float, deed: Callable[[], None]) -> None:
        """Do something later, unless there is peace by then."""

        def do() -> None:
            if self._attacker.is_open:
                deed()

        self._fleet.later(delay_s, do)

    def _any(self, fits: Callable[[Machine], bool]) -> Machine | None:
        fitting = [machine for machine in self._fleet if fits(machine)]
        return self._chance.choice(fitting) if fitting else None

    def _kill(self) -> None:
        machine = self._any(lambda one: one.process is not None)
        if machine is not None:
            self._end(machine)

    def _kill_soon(self) -> None:
        """Ask for something, and kill one of those concerned in the middle of it."""
        before = len(self._fleet.history.dispatches)
        self._dispatch()
        for dispatch in self._fleet.history.dispatches[before:]:
            victim = self._chance.choice((dispatch.origin, *dispatch.targets))
            delay_s = self._chance.uniform(0, 0.06)
            self._later(delay_s, partial(self._end, self._fleet.machine(victim)))

    def _end(self, machine: Machine) -> None:
        machine.kill(power=self._chance.random() < 0.3)
        if self._chance.random() < 0.7:
            self._later(self._chance.uniform(0.05, 4.0), machine.start)

    def _pause(self) -> None:
        machine = self._any(lambda one: one.is_up)
        if machine is not None:
            machine.pause()
            self._later(self._chance.choice((0.3, 1.0, 3.0, 12.0)), machine.resume)

    def _stop(self) -> None:
        machine = self._any(lambda one: one.is_up)
        if machine is not None:
            machine.stop()

    def _start(self) -> None:
        machine = self._any(lambda one: one.process is None)
        if machine is not None:
            machine.start()

    def _cut(self) -> None:
        one, two = self._chance.sample(list(self._fleet), 2)
        self._fleet.set_weather(one, two, cut=True)
        if self._chance.random() < 0.5:
            self._fleet.set_weather(two, one, cut=True)

    def _worsen(self) -> None:
        one, two = self._chance.sample(list(self._fleet), 2)
        longest_ms = self._chance.choice((5.0, 50.0, 400.0))
        self._fleet.set_weather(
            one,
            two,
            latency_ms=(longest_ms / 5, longest_ms),
            loss=self._chance.choice((0.0, 0.05, 0.3)),
            duplicates=self._chance.choice((0.0, 0.3)),
            reordered=self._chance.choice((0.0, 0.3)),
        )

    def _improve(self) -> None:
        one, two = self._chance.sample(list(self._fleet), 2)
        for here, there in ((one, two), (two, one)):
            self._fleet.make_fair(here, there)

    def _swizzle(self) -> None:
        """Cut some machines off, one after the other, and bring them back in another order."""
        machines = list(self._fleet)
        chosen = self._chance.sample(machines, self._chance.randint(1, len(machines) - 1))
        for away in (True, False):
            self._chance.shuffle(chosen)
            for machine in chosen:
                delay_s = self._chance.uniform(0, 2) + (0 if away else 2)
                self._later(delay_s, partial(self._isolate, machine, cut=away))

    def _isolate(self, machine: Machine, *, cut: bool) -> None:
        for other in self._fleet:
            if other is not machine:
                self._fleet.set_weather(machine, other, cut=cut)
                self._fleet.set_weather(other, machine, cut=cut)

    def _step_clock(self) -> None:
        machine = self._chance.choice(list(self._fleet))
        step_ms = self._chance.choice((-3_600_000, -4_000, -700, 700, 4_000, 3_600_000))
        machine.step_clock(step_ms)
        self._later(self._chance.uniform(1, 8), lambda: machine.step_clock(None))

    def _trouble_disk(self) -> None:
        machine = self._any(lambda one: one.is_ready)
        if machine is not None:
            kind = self._chance.choice(("slow", "full", "failing"))
            machine.trouble_disk(kind)
            self._later(self._chance.uniform(0.5, 4), lambda: machine.trouble_disk("fine"))

    def _may_write(self, origin: Machine, target: Machine) -> bool:
        same = site_of(origin.id) == site_of(target.id)
        return same or (origin.id, target.id) in ALLOWED_ACROSS


def _again(request: ActionRequest, **changes: Any) -> ActionRequest:
    members = {name: getattr(request, name) for name in request.__struct_fields__}
    return ActionRequest(**{**members, **changes})


def _is_unknown(dispatch: Dispatch, machine: Machine, now_ns: int) -> bool:
    """Tell whether a client of `machine` does not know what became of its request."""
    mine = dispatch.origin == machine.id and dispatch.request.action_type == "cmd_invoke"
    if not mine or dispatch.deadline_ns >= now_ns:
        return False
    report = dispatch.report
    return report is None or any(r.status is ResultStatus.TIMEOUT for r in report.results)
