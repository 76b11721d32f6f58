"""Does a head continue the one told before, or was its log cut or rewritten (10.2, 10.4). Pure."""

from collections.abc import Mapping

from trust_runtime.contracts.audit import ChainHead, ChainReport
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.witness import (
    FleetAudit,
    HeldHeads,
    RuntimeStanding,
    Standing,
    Unasked,
)


def contradiction(before: ChainHead, now: ChainHead) -> str | None:
    """Return why `now` cannot follow `before` in one append-only chain, or None.

    A longer chain may have been rewritten below its head; only the owner's hash at `before.seq`
    tells (`confirm`).
    """
    if now.seq < before.seq:
        return f"its audit log ends at record {now.seq}, it had {before.seq}"
    if now.seq == before.seq and now.hash != before.hash:
        return f"its audit record {now.seq} has another hash than before"
    return None


def confirm(before: ChainHead, hash_there: str | None) -> str | None:
    """Return why the owner's present hash of record `before.seq` contradicts `before`, or None.

    Args:
        before: the head told earlier.
        hash_there: what the owner says of that record now; None when it has no such record.
    """
    if hash_there is None:
        return f"its audit record {before.seq} is gone"
    if hash_there != before.hash:
        return f"its audit record {before.seq} has another hash than before"
    return None


def compare_fleet(
    own: RuntimeId,
    answers: Mapping[RuntimeId, HeldHeads | Unasked],
    hashes: Mapping[ChainHead, bool],
) -> FleetAudit:
    """Return the standing of every runtime's log by its own word and the heads of all others.

    Args:
        own: who asks.
        answers: of every known runtime, the own one included, or why it could not be asked.
        hashes: for each held head that is not its owner's newest record, whether the owner still
            has that record with that hash; a head that is not there could not be looked up.
    """
    standings = tuple(_standing(owner, answers, hashes) for owner in sorted(answers))
    return FleetAudit(
        asked_by=own,
        ok=all(one.standing is Standing.OK for one in standings),
        runtimes=standings,
    )


def heads_of(
    owner: RuntimeId, answers: Mapping[RuntimeId, HeldHeads | Unasked]
) -> tuple[tuple[RuntimeId, ChainHead, str | None], ...]:
    """Return who holds which head of `owner`, and what that witness found wrong before."""
    return tuple(
        (witness, held.head, held.contradiction)
        for witness, answer in sorted(answers.items())
        if not isinstance(answer, Unasked) and witness != owner
        for held in answer.held
        if held.runtime_id == owner
    )


def _standing(
    owner: RuntimeId,
    answers: Mapping[RuntimeId, HeldHeads | Unasked],
    hashes: Mapping[ChainHead, bool],
) -> RuntimeStanding:
    held = heads_of(owner, answers)
    witnesses = tuple(sorted({witness for witness, _, _ in held}))
    answer = answers[owner]
    problems = [f"{witness} noted: {noted}" for witness, _, noted in held if noted is not None]
    if isinstance(answer, Unasked):
        return RuntimeStanding(
            runtime_id=owner,
            standing=Standing.CONTRADICTED if problems else Standing.NOT_VERIFIED,
            witnesses=witnesses,
            detail="; ".join([*problems, f"it could not be asked: {answer.reason}"]),
            remedy=answer.remedy,
        )
    newest = answer.report.head
    problems = [*_own_problems(answer.report), *problems]
    unanswered = []
    for witness, head, _ in held:
        if needs_lookup(newest, head) and head not in hashes:
            unanswered.append(f"it did not answer for record {head.seq}, which {witness} holds")
            continue
        found = _held_problem(newest, head, hashes)
        if found is not None:
            problems.append(f"{witness} holds record {head.seq}: {found}")
    return RuntimeStanding(
        runtime_id=owner,
        standing=_verdict(problems, unanswered),
        head=newest,
        witnesses=witnesses,
        detail="; ".join([*problems, *unanswered]) or None,
    )


def needs_lookup(newest: ChainHead, head: ChainHead) -> bool:
    """Tell whether only the owner can say if its log still has a head that somebody holds.

    A longer one too: the owner may have gone on since it told its newest record.
    """
    return head.seq not in (0, newest.seq)


def _verdict(problems: list[str], unanswered: list[str]) -> Standing:
    if problems:
        return Standing.CONTRADICTED
    return Standing.NOT_VERIFIED if unanswered else Standing.OK


def _own_problems(report: ChainReport) -> list[str]:
    if report.problem is None:
        return []
    where = "state.db" if report.problem.seq is None else f"record {report.problem.seq}"
    return [f"{where}: {report.problem.detail}"]


def _held_problem(
    newest: ChainHead, head: ChainHead, hashes: Mapping[ChainHead, bool]
) -> str | None:
    if not needs_lookup(newest, head):
        return contradiction(head, newest) if head.seq else None
    if hashes[head]:
        return None
    return contradiction(head, newest) or (
        f"its audit record {head.seq} has another hash than before"
    )
