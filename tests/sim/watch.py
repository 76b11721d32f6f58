"""Applies the invariants to a fleet while it runs."""

from collections.abc import Iterable, Iterator
from typing import Final

from sim.fleet import ALLOWED_ACROSS, Fleet, Machine
from sim.history import Acked, Dispatch, Effect
from sim.invariants import (
    Sighting,
    Violation,
    check_acknowledged,
    check_allowed,
    check_chain,
    check_closed,
    check_decided,
    check_head_known,
    check_in_time,
    check_once,
    check_revisions,
    check_seen,
    check_total,
)
from sim.loop import wait_s
from sim.process import Process
from trust_runtime.contracts.answers import ConfigAnswer
from trust_runtime.contracts.audit import EMPTY_CHAIN, ChainHead
from trust_runtime.contracts.ids import site_of
from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.units import MS_PER_S, NS_PER_MS

TICK_S: Final = 0.1
TOLERANCE_MS: Final = (60, 1_500)
"""A target measures the origin's clock by beacons, so it may be late by the transit of the fastest
one it heard: a little in calm weather, a lease and more after cuts and steps of clocks."""


class Watch:
    """Collects violations; the first one ends a run."""

    def __init__(self, fleet: Fleet) -> None:
        self.violations: list[Violation] = []
        self._fleet = fleet
        self._checked: dict[str, ChainHead] = {}
        self._recovered: list[Process] = []
        self._sites = {str(machine.id): site_of(machine.id) for machine in fleet}
        fleet.effect_watchers.append(self.take_effect)

    async def run(self) -> None:
        """Look at everything again and again, until cancelled."""
        while True:
            self.look()
            await wait_s(TICK_S)

    def take_effect(self, effect: Effect) -> None:
        """Judge an effect that is about to begin."""
        history = self._fleet.history
        same = [
            d
            for d in history.dispatches
            if (d.origin, d.request.request_id) == (effect.origin, effect.request_id)
        ]
        machine = self._fleet.machine(effect.target)
        self._add(check_decided(effect, machine.disk.synced.records))
        calm = self._fleet.weather_changed_ns == self._fleet.clocks_changed_ns == 0
        tolerance_ms = TOLERANCE_MS[0 if calm else 1]
        self._add(check_in_time(effect, same, tolerance_ms=tolerance_ms))
        self._add(check_allowed(effect, ALLOWED_ACROSS, sites=self._sites))
        self._add(check_once([e for e in history.effects if e.request_id == effect.request_id]))

    def take_report(self, dispatch: Dispatch) -> None:
        """Judge what a client is told, at that moment."""
        assert dispatch.report is not None
        assert dispatch.ended_ns is not None
        took_ms = (dispatch.ended_ns - dispatch.begun_ns) / NS_PER_MS
        self._add(check_total(dispatch, took_ms=None if dispatch.disturbed else took_ms))
        durable = {str(machine.id): machine.disk.synced.records for machine in self._fleet}
        process = self._fleet.machine(dispatch.origin).process
        services = None if process is None else process.services
        works = services is not None and services.health.fault is None
        self._add(check_acknowledged(dispatch, durable, store_works=works))
        self._note_revisions(dispatch)

    def take_config_answer(self, machine: Machine, answer: ConfigAnswer) -> None:
        """Judge what the writer of a desired configuration is told."""
        if answer.changed and answer.audit_id is not None and not answer.replayed:
            kept = machine.disk.synced.revisions.values()
            if answer.audit_id not in [one.audit_id for one in kept]:
                text = f"{machine.id}: {answer.audit_id} changed something that is not on disk"
                self._add([Violation("acknowledged", text)])

    def look(self) -> None:
        """Judge what can be judged at any moment."""
        for machine in self._fleet:
            self._check_chain(machine)
            self._check_recovered(machine)
            for other in self._fleet:
                if machine.is_ready and other is not machine:
                    self._add(self._seen(machine, other))
        for context in self._fleet.loop.failures:
            self._add([Violation("failure", str(context.get("exception", context)))])
        for failure in self._fleet.failures:
            self._add([Violation("ended", failure)])

    def look_at_the_end(self) -> None:
        """Judge what must hold once everything is quiet."""
        self.look()
        history = self._fleet.history
        self._add(check_once(history.effects))
        for machine in self._fleet:
            state = machine.disk.synced
            revisions = [state.revisions[number] for number in sorted(state.revisions)]
            self._add(check_revisions(machine.id, revisions, history.revisions))
            for other in self._fleet:
                peer = other.peer(machine.id) if other.is_up and other is not machine else None
                if peer is not None and peer.record.status is not None:
                    head = peer.record.status.audit_head
                    self._add(check_head_known(machine.id, head, state.records))

    def _add(self, found: Iterable[Violation]) -> None:
        for violation in found:
            self._fleet.history.tell("VIOLATION", f"{violation.rule}: {violation.detail}")
            self.violations.append(violation)

    def _check_chain(self, machine: Machine) -> None:
        records = machine.disk.synced.records
        before = self._checked.get(machine.id, EMPTY_CHAIN)
        if len(records) < before.seq:
            self._add([Violation("chain", f"{machine.id}: record {before.seq} is lost")])
            return
        if len(records) > before.seq:
            self._add(check_chain(machine.id, before, records[before.seq :]))
            self._checked[machine.id] = machine.disk.synced.head

    def _check_recovered(self, machine: Machine) -> None:
        process = machine.process
        if process is None or not process.is_ready or process in self._recovered:
            return
        self._recovered.append(process)
        assert process.services is not None
        if process.services.health.fault is None:
            records = machine.disk.synced.records
            self._add(check_closed(machine.id, records, upto=process.head_at_start))

    def _seen(self, observer: Machine, target: Machine) -> Iterator[Violation]:
        peer = observer.peer(target.id)
        # Of the dead only "online" is wrong, of the living everything else: most are passed over.
        if peer is None or (peer.lifecycle is Lifecycle.ONLINE) is target.is_up:
            return iter(())
        since_ms = {one.id: self._since_ms(one.changed_ns) for one in (observer, target)}
        linked_s = self._fleet.network.linked_since_s(observer.address, target.address)
        link_ms = None
        fair = not self._fleet.is_foul(observer, target)
        if observer.is_up and target.is_ready and linked_s is not None and fair:
            linked_ms = self._since_ms(0) - linked_s * MS_PER_S
            calm_ms = self._since_ms(self._fleet.weather_changed_ns)
            link_ms = min(*since_ms.values(), linked_ms, calm_ms)
        return check_seen(
            Sighting(
                observer=observer.id,
                target=target.id,
                lifecycle=peer.lifecycle,
                observer_ms=since_ms[observer.id],
                down_ms=None if target.is_up else since_ms[target.id],
                told=target.process is None and observer.id in target.parted_from,
                link_ms=link_ms,
            )
        )

    def _since_ms(self, instant_ns: int) -> float:
        return (self._fleet.now_ns - instant_ns) / NS_PER_MS

    def _note_revisions(self, dispatch: Dispatch) -> None:
        assert dispatch.report is not None
        for result in dispatch.report.results:
            told = None if result.response is None else result.response.result
            if isinstance(told, dict) and told.get("changed") and result.audit_id is not None:
                revision = Acked(
                    target=result.runtime_id,
                    revision=told["desired_revision"],
                    audit_id=result.audit_id,
                )
                self._fleet.history.revisions.append(revision)
