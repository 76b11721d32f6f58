"""Ask for writes that no rule allows, in every spelling, and look whether one comes through (I1).

    PYTHONPATH=src:tests python -m fuzz.rules --writes 1000000 [--letters 6] [--seed 1]

Each write is decided at its origin and at its target, in memory, under rules that were made to
look nearly right; what should come of it says `fuzz.rules_oracle`, which shares no code with the
product. Afterwards the matcher is compared with the oracle's for every pattern of so many letters.
Prints what differed and exits 1 then.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from msgspec import structs

from decision_samples import FILE
from fuzz import rules_oracle as oracle
from fuzz.rules_oracle import DEFAULT, Id, Rule
from trust_runtime.contracts.actions import ActionRequest
from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, Role
from trust_runtime.contracts.presence import AcceptedWrite
from trust_runtime.core.config.allow_rules import is_pattern, read_rules, rule_problems
from trust_runtime.core.policy.case import ConfigFacts, DecisionFacts, PeerFacts
from trust_runtime.core.policy.inbound import decide_inbound
from trust_runtime.core.policy.patterns import pattern_matches
from trust_runtime.core.policy.preflight import decide

SITES: Final = (DEFAULT, "site-a", "site-b", "site-bad", "Site-B", "site-b.x")
NAMES: Final = ("press-1", "press-10", "Press-1", "a")
KNOWN: Final = tuple(Id(site, name) for site in SITES for name in NAMES)
_ACTIONS: Final = ("cfg_apply", "cmd_invoke", "CFG_APPLY", "cfg_apply ", "cfg-apply", "*")
_PAYLOADS: Final = {
    "cfg_apply": {"params": {"log.level": "debug"}},
    "cmd_invoke": {"command": "health"},
}
_LOOKALIKES: Final = str.maketrans({"s": "ѕ", "e": "е", "a": "а", "p": "р", "1": "１", "-": "‑"})  # noqa: RUF001 - that is the point
_ALPHABET: Final = "ab/*-."
_PROBLEMS_MAX: Final = 10
_RIGHT_SHARE: Final = 0.3
"""How many writes name their target rightly: those only the rules can stop."""
_OPEN: Final = PeerFacts(
    target_state=TargetState.REACHABLE, accepts=(AcceptedWrite(action="*", origin="*"),)
)
_CALLER: Final = Caller(identity="local://admin", role=Role.ADMIN)


class Write(NamedTuple):
    """One write: who asks whom, in which words, under which rules at either end."""

    own: Id
    profile: str
    action: str
    text: str
    here: tuple[Rule, ...]
    there: tuple[Rule, ...]


class Tally(NamedTuple):
    """What came of all writes."""

    counts: Counter[str]
    problems: list[str]

    def __str__(self) -> str:
        """Return it as three lines for people, and one for each problem."""
        c = self.counts
        here, there = (c[f"denied {end}"] + c[f"allowed {end}"] for end in ("here", "there"))
        said = (
            f"{here} writes ({c['in wan']} in wan), no rule here: {c['allowed here']} allowed",
            f"{there} writes, no rule there: {c['allowed there']} allowed",
            f"{c['granted'] + c['refused']} with a rule, or none needed: {c['refused']} denied",
        )
        return "\n".join((*said, *self.problems))


def spelled(random: Random, runtime: Id) -> str:
    """Return some text that means, nearly means, or looks like a runtime."""
    canonical = runtime.canonical()
    long = f"{runtime.site}/{runtime.name}"
    if random.random() < _RIGHT_SHARE:
        return random.choice((canonical, long))
    ways = (
        runtime.name,
        *(canonical.upper(), canonical.title(), long.swapcase(), canonical.casefold()),
        *(f"{canonical}/", f"/{canonical}", f"{long}/", long.replace("/", "//")),
        *(f" {canonical}", f"{canonical} ", f"{canonical}\n", f"\ufeff{canonical}"),
        *(f"{canonical}\x00", f"{canonical}\u200b", f"\u202e{canonical}", f"{long}\u00a0"),
        *(canonical.translate(_LOOKALIKES), long.replace("/", "\u2215"), long.replace("/", "%2F")),
        *(f"./{canonical}", f"{runtime.site}/../{long}", f"{DEFAULT}/{canonical}"),
        *(f"{DEFAULT}/{runtime.name}", f"Default-Site/{runtime.name}", f"spiffe://trust/{long}"),
        *(long.replace("/", "\\"), f"{runtime.site}*", "*", f"{long}#x", f"{long}?x=1", ""),
        *(f"{canonical}e\u0301", canonical.encode("utf-16-be").decode("utf-8", "replace")),
        f"{runtime.site}/{runtime.name}" + "x" * random.choice((1, 120, 140)),
    )
    return random.choice(ways)


def near_pattern(random: Random, runtime: Id) -> str:
    """Return a pattern that loads and means a runtime, nearly means it, or something beside it."""
    text = random.choice((runtime.canonical(), f"{runtime.site}/{runtime.name}", runtime.name))
    cut = random.randrange(len(text) + 1)
    made = random.choice(
        (
            *(text, text.upper(), f"{text[:cut]}*", f"*{text[cut:]}", f"{runtime.site}*"),
            *(
                f"{runtime.site}/*",
                f"*/{runtime.name}",
                f"{text}0",
                "*",
                f"{DEFAULT}/{text[:cut]}*",
            ),
            *(f"{DEFAULT}/{runtime.name}", random.choice(KNOWN).canonical()),
        )
    )
    return made if is_pattern(made) else "nobody"


def make_write(random: Random) -> Write:
    """Return one write; half of them without any rule, in most the profile is wan."""
    own, target = random.sample(KNOWN, 2)

    def rules() -> tuple[Rule, ...]:
        return tuple(
            Rule(
                random.choice(("cfg_apply", "cmd_invoke", "status_read", "*")),
                near_pattern(random, random.choice((target, target, own))),
                random.choice(("*", near_pattern(random, own), near_pattern(random, target))),
            )
            for _ in range(random.choice((0, 0, 0, 1, 1, 3)))
        )

    return Write(
        own=own,
        profile=random.choice(("wan", "wan", "wan", "wan", "plant", "dev")),
        action=random.choice((*("cfg_apply", "cmd_invoke") * 4, *_ACTIONS)),
        text=spelled(random, target),
        here=rules(),
        there=rules(),
    )


def _as_read(rules: tuple[Rule, ...], owner: Id) -> tuple[AllowRule, ...]:
    """Return rules as the configuration of `owner` reads them."""
    value = [{"action": r.action, "target": r.target, "from": r.origin} for r in rules]
    assert not list(rule_problems("allow_write", value)), value
    return read_rules(value, SiteName(owner.site))


_FACTS: Final = {
    (own, profile): DecisionFacts(
        own=RuntimeId(own.canonical()),
        site=SiteName(own.site),
        profile=Profile(profile),
        config=ConfigFacts(file_values=FILE, document={}),
        peers={RuntimeId(one.canonical()): _OPEN for one in KNOWN if one != own},
    )
    for own in KNOWN
    for profile in Profile
}


def _facts(owner: Id, profile: str, rules: tuple[Rule, ...]) -> DecisionFacts:
    return structs.replace(_FACTS[owner, Profile(profile)], allow_write=_as_read(rules, owner))


def _request(write: Write, target: str) -> ActionRequest:
    return ActionRequest(
        api_version="1.0",
        request_id="request-1",
        connected_via=f"{write.own.site}/{write.own.name}",
        target_runtimes=[target],
        actor="spiffe://trust/site-b/anna",
        action_type=write.action,
        payload=_PAYLOADS.get(write.action, {}),
    )


def judge(write: Write, tally: Tally) -> None:
    """Have a write decided at both ends, and note where an end differs from the oracle."""
    target = oracle.meant(write.text, own=write.own, known=KNOWN)
    ours = decide(
        _request(write, write.text), _CALLER, _facts(write.own, write.profile, write.here)
    )
    _note("here", write, tally, target=target, rules=write.here, allowed=ours.allowed)
    if target not in KNOWN or target == write.own:
        return
    theirs = decide_inbound(
        _request(write, target.canonical()),
        _CALLER,
        _facts(target, write.profile, write.there),
        origin=RuntimeId(write.own.canonical()),
    )
    _note("there", write, tally, target=target, rules=write.there, allowed=theirs is None)


def _note(
    end: str,
    write: Write,
    tally: Tally,
    *,
    target: Id | None,
    rules: tuple[Rule, ...],
    allowed: bool,
) -> None:
    owner = write.own if end == "here" or target is None else target
    granted = (
        target is not None
        and target in KNOWN
        and write.action in oracle.WRITES
        and (
            not oracle.needs_rule(write.profile, target=target, origin=write.own)
            or oracle.is_granted(rules, write.action, owner=owner, target=target, origin=write.own)
        )
    )
    if granted:
        tally.counts["granted" if allowed else "refused"] += 1
        wrong = not allowed
    else:
        tally.counts[f"{'allowed' if allowed else 'denied'} {end}"] += 1
        tally.counts["in wan"] += end == "here" and write.profile == "wan"
        wrong = allowed
    if wrong and len(tally.problems) < _PROBLEMS_MAX:
        tally.problems.append(f"{'allowed' if allowed else 'denied'} {end}: {write}")


def ask(writes: int, *, seed: int) -> Tally:
    """Judge writes until so many in `wan` had no rule at the origin, or enough went wrong."""
    random = Random(seed)  # noqa: S311 - no secret: a seed makes a run
    tally = Tally(Counter(), [])
    while tally.counts["in wan"] < writes:
        if len(tally.problems) == _PROBLEMS_MAX:
            break
        judge(make_write(random), tally)
    return tally


def texts(letters: int) -> Iterator[str]:
    """Yield every text of at most so many letters of the alphabet, the empty one too."""
    for length in range(letters + 1):
        yield from map("".join, itertools.product(_ALPHABET, repeat=length))


def compare(letters: int, *, ids: int) -> tuple[int, list[str]]:
    """Compare matcher and oracle: patterns of so many letters, ids of at most `ids` letters."""
    runtimes = [found for text in texts(ids) if (found := oracle.read(text)) is not None]
    runtimes += [Id(DEFAULT, "default-site"), Id("default-sit", "a"), Id("default-site-a", "b")]
    count, problems = 0, []
    for pattern in texts(letters):
        if is_pattern(pattern) is not _may_load(pattern):
            problems.append(f"pattern {pattern!r}: load differs")
        for prefix in ("", f"{DEFAULT}/") if len(pattern) < letters else ("",):
            for runtime in runtimes if is_pattern(prefix + pattern) else ():
                count += 1
                ours = pattern_matches(prefix + pattern, runtime.canonical())
                if ours is not oracle.matches(prefix + pattern, runtime):
                    problems.append(f"pattern {prefix + pattern!r}, {runtime}: differs, {ours=}")
    return count, problems[:_PROBLEMS_MAX]


def _may_load(pattern: str) -> bool:
    """Tell whether a pattern is one, in the contract's words."""
    if "*" not in pattern:
        return oracle.read(pattern) is not None
    return pattern.count("*") == 1 and "*" in (pattern[0], pattern[-1])


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.rules", description=__doc__)
    parser.add_argument("--writes", type=int, default=1_000_000)
    parser.add_argument("--letters", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tally = ask(asked.writes, seed=asked.seed)
    sys.stdout.write(f"{tally}\n")
    count, problems = compare(asked.letters, ids=3)
    told = f"{count} comparisons of the matcher: {len(problems)} differ"
    sys.stdout.write("\n".join([*problems, told]) + "\n")
    return 1 if tally.problems or problems else 0


if __name__ == "__main__":
    sys.exit(main())
