"""Hypothesis strategies of questions to decide, and of ways to make a question worse."""

import itertools
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from msgspec import structs

from decision_samples import FILE, SITE_B, Question
from trust_runtime.contracts.actions import VERBS, ActionRequest, ActionType, OnDenied
from trust_runtime.contracts.decisions import TargetState
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName, runtime_id, site_of
from trust_runtime.contracts.policy import AllowRule, Caller, Profile, Role
from trust_runtime.contracts.presence import AcceptedWrite, TrustReason
from trust_runtime.contracts.strict_json import INTEGER_MAX, INTEGER_MIN
from trust_runtime.contracts.units import CLOCK_SKEW_MS_MAX
from trust_runtime.core.policy.case import ConfigFacts, DecisionFacts, PeerFacts

SITES: Final = (DEFAULT_SITE, SiteName("site-a"), SITE_B)
NAMES: Final = ("press-1", "press-2", "oven-1")
IDS: Final = tuple(runtime_id(site, name) for site in SITES for name in NAMES)
SPELLINGS: Final = (
    *IDS,
    *(f"{DEFAULT_SITE}/{name}" for name in NAMES),
    *("ghost", "site-b/ghost", "a/b/c", "", "..", "press 1", "press-1/"),
)
PATTERNS: Final = ("*", "site-a/*", "site-b/*", "press-*", "*/oven-1", "*1", *IDS)
ACTIONS: Final = ("*", *ActionType)
WORSENING: Final = (
    TargetState.REACHABLE,
    TargetState.STALE,
    TargetState.PARTITIONED,
    TargetState.OFFLINE,
)
"""What presence says of a known peer, best first."""

SEEN_REASONS: Final = tuple(reason for reason in TrustReason if reason != TrustReason.NEVER_SEEN)
_RULES: Final = tuple(
    AllowRule(action=action, target=target, origin=origin)
    for action, target, origin in itertools.product(ACTIONS, PATTERNS, ("*", "*", *PATTERNS))
)
_ACCEPTS: Final = (
    (),
    *((AcceptedWrite(action=a, origin=o),) for a in ACTIONS for o in ("*", "press-*", "site-a/*")),
    (
        AcceptedWrite(action="cfg_apply", origin="site-b/*"),
        AcceptedWrite(action="cmd_invoke", origin="press-1"),
    ),
)
_NEVER_SEEN: Final = PeerFacts(
    target_state=TargetState.OFFLINE, trust_reason=TrustReason.NEVER_SEEN
)
_SEEN: Final = tuple(
    PeerFacts(
        target_state=state,
        trust_reason=reason,
        accepts=accepts,
        debug_enabled=debug_enabled,
        clock_skew_ms=skew_ms,
    )
    for state, reason, accepts, debug_enabled, skew_ms in itertools.product(
        (*[TargetState.REACHABLE] * 3, *WORSENING),
        (*[None] * 10, *SEEN_REASONS),
        _ACCEPTS,
        (None, False, True),
        (None, 0, 1, -CLOCK_SKEW_MS_MAX, CLOCK_SKEW_MS_MAX + 1),
    )
)
"""Everything that may be known of a peer that was heard once; one draw is one choice."""

_SPOKEN: Final = tuple(
    structs.replace(peer, profile=profile, without_tls=without, accepts_cut=cut)
    for peer, profile, without, cut in zip(
        _SEEN[::7],
        itertools.cycle((*Profile, None)),
        itertools.cycle(
            ((), ("runtime.web.tls", "runtime.mesh.tls"), (), ("runtime.mesh.tls",), ())
        ),
        itertools.cycle((False, False, True)),
        strict=False,
    )
)
"""Some of them with what they say of their own security."""

CONFIG_VALUES: Final[dict[str, list[Any]]] = {
    "log.level": ["debug", "loud", 1, None],
    "runtime_cloud.profile": ["dev", "wan", None],
    "runtime_cloud.presence.stale_after_ms": [2_000, 1_999, None],
    "runtime_cloud.wan.allow_write": [[], [{"action": "*", "target": "site-b/*"}], [1]],
    "mesh.auth_token": ["secret"],
    "resource.name": ["press-7"],
    "log.levle": ["debug", None],
    "historian.mode": ["all"],
}

FITTING: Final[tuple[tuple[str, Any], ...]] = (
    ("status_read", {}),
    ("cfg_apply", {"params": {"log.level": "debug"}}),
    ("cfg_apply", {"log.level": None}),
    ("cfg_apply", {"params": {"web.enabled": True}, "expected_revision": 0}),
    ("cmd_invoke", {"command": "health"}),
    ("cmd_invoke", {"command": "config.get", "params": {"keys": ["log.level"]}}),
    ("cmd_invoke", {"command": "shutdown", "params": {"confirm": True}}),
    ("cmd_invoke", {"command": "pause"}),
)
"""Actions with payloads that fit them, the last of a verb that is not built."""

_REQUEST_FLAWS: Final[tuple[dict[str, Any], ...]] = (
    {"api_version": "2.0"},
    {"api_version": "1.7"},
    {"request_id": ""},
    {"request_id": "x" * 129},
    {"connected_via": "elsewhere"},
    {"connected_via": "/"},
    {"target_runtimes": []},
    {"actor": " "},
    {"action_type": "reboot"},
)
_FACT_FLAWS: Final[tuple[dict[str, Any], ...]] = (
    {"unmet": ("runtime.web.tls=true", "identity")},
    {"store_fault": "the disk is full"},
    {"own_trust_reason": TrustReason.DUPLICATE_INSTANCE},
    {"own_trust_reason": TrustReason.EXPIRED},
)

whole_numbers = st.integers(INTEGER_MIN, INTEGER_MAX)
exact_scalars = st.none() | st.booleans() | whole_numbers | st.text(max_size=8)


def _nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=6,
    )


exact_json = _nested(exact_scalars)
"""JSON as it may be hashed: without floats (D55)."""

any_json = _nested(exact_scalars | st.floats(allow_nan=False, allow_infinity=False))
"""Every shape of JSON the strict door lets in."""


@cache
def patches() -> st.SearchStrategy[dict[str, Any]]:
    """Return configuration patches: right, wrong and forbidden keys and values."""
    keys = st.lists(st.sampled_from(sorted(CONFIG_VALUES)), unique=True, max_size=3)
    return keys.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {key: st.sampled_from(CONFIG_VALUES[key]) for key in chosen}
        )
    )


@cache
def payloads(values: st.SearchStrategy[Any] = exact_json) -> st.SearchStrategy[Any]:
    """Return payloads that fit an action, nearly fit it, or fit nothing.

    Args:
        values: what stands where anything may stand.
    """
    members = st.sampled_from(["expected_revision", "expected_etag", "ha", "command", "spare"])
    config = st.fixed_dictionaries({"params": patches() | values})
    command = st.fixed_dictionaries(
        {"command": st.sampled_from([*VERBS, "statsu", " "]) | values},
        optional={
            "params": st.dictionaries(
                st.sampled_from(["keys", "confirm", "limit", "kyes"]), values | st.just(value=True)
            )
            | values
        },
    )
    more = st.dictionaries(members, values, max_size=1)
    extended = st.tuples(config | command, more).map(lambda parts: {**parts[0], **parts[1]})
    return patches() | config | command | extended | values


@cache
def _facts_of(own: RuntimeId) -> st.SearchStrategy[DecisionFacts]:
    others = st.sampled_from([peer for peer in IDS if peer != own])
    peers = st.sampled_from((*_SEEN, *_SPOKEN, *[_NEVER_SEEN] * (len(_SEEN) // 8)))
    whole = st.builds(
        DecisionFacts,
        own=st.just(own),
        site=st.just(site_of(own)),
        profile=st.sampled_from(Profile),
        allow_write=st.lists(st.sampled_from(_RULES), max_size=3).map(tuple),
        debug_enabled=st.booleans(),
        config=st.builds(
            ConfigFacts,
            file_values=st.just(FILE),
            document=st.sampled_from([{}, {"log.level": "warn"}]),
        ),
        peers=st.dictionaries(others, peers, min_size=2, max_size=6),
    )
    return _with_one_flaw(whole, _FACT_FLAWS)


@cache
def callers() -> st.SearchStrategy[Caller]:
    """Return callers of every role, some held to sites."""
    return st.builds(
        Caller,
        identity=st.just("token://anna"),
        role=st.sampled_from([Role.ADMIN, Role.ADMIN, *reversed(Role)]),
        scope=st.sampled_from([None, None, None, (), (DEFAULT_SITE,), (SITE_B,)]),
    )


@cache
def requests(
    own: RuntimeId, payload: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[ActionRequest]:
    """Return requests to `own`, most of them well-formed in every respect but one.

    Args:
        own: the runtime they are sent to.
        payload: what payloads there are; by default fitting ones too, all free of floats.
    """
    wild = st.tuples(st.sampled_from(ActionType), payloads() if payload is None else payload)
    fitting = st.sampled_from(FITTING)
    asked = wild if payload is not None else fitting | fitting | wild
    near = [target for target in IDS if site_of(target) == site_of(own)]
    targets = st.sampled_from([own, *near, *IDS]) | st.sampled_from(SPELLINGS)
    whole = st.builds(
        lambda ask, **members: ActionRequest(
            api_version="1.0",
            request_id="request-1",
            connected_via=own,
            action_type=ask[0],
            payload=ask[1],
            **members,
        ),
        asked,
        target_runtimes=st.lists(targets, min_size=1, max_size=4),
        actor=st.sampled_from(["local://engineer", "spiffe://trust/site-b/anna"]),
        query_budget_ms=st.none() | st.integers(0, 20_000),
        dry_run=st.none() | st.booleans(),
        on_denied=st.none() | st.sampled_from(OnDenied),
        expected_decision_digest=st.none() | st.just("sha256:00"),
    )
    return _with_one_flaw(whole, _REQUEST_FLAWS)


def _with_one_flaw(
    whole: st.SearchStrategy[Any], flaws: tuple[dict[str, Any], ...]
) -> st.SearchStrategy[Any]:
    chosen = st.sampled_from([{}] * 3 * len(flaws) + list(flaws))
    return st.builds(lambda struct, flaw: structs.replace(struct, **flaw), whole, chosen)


def questions(payload: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Question]:
    """Return questions; the payload is free of floats unless another strategy says what it is."""
    return st.sampled_from(IDS).flatmap(
        lambda own: st.builds(Question, requests(own, payload), callers(), _facts_of(own))
    )


def with_facts(question: Question, **changes: Any) -> Question:
    """Return the question with some facts changed."""
    return question._replace(facts=structs.replace(question.facts, **changes))


def with_caller(question: Question, **changes: Any) -> Question:
    """Return the question with its caller changed."""
    return question._replace(caller=structs.replace(question.caller, **changes))


def worsenings(question: Question) -> st.SearchStrategy[Question]:
    """Return the question with one thing worse that can only ever speak against an action."""
    known = question.facts
    profiles = list(Profile)
    ways: list[Question] = [
        *(
            with_caller(question, role=role)
            for role in list(Role)[: list(Role).index(question.caller.role)]
        ),
        with_caller(question, scope=()),
        with_facts(question, unmet=(*known.unmet, "runtime.mesh.tls=true")),
        with_facts(question, store_fault="the disk is full"),
        with_facts(question, own_trust_reason=TrustReason.DUPLICATE_INSTANCE),
        with_facts(question, debug_enabled=False),
        *(
            with_facts(question, profile=profile)
            for profile in profiles[profiles.index(known.profile) + 1 :]
        ),
        *(with_facts(question, allow_write=rules) for rules in _without_one(known.allow_write)),
        *(
            with_facts(question, peers={**known.peers, name: worse})
            for name, peer in known.peers.items()
            for worse in _worse_peers(peer)
        ),
    ]
    return st.sampled_from(ways)


def _worse_peers(peer: PeerFacts) -> list[PeerFacts]:
    worse_states = WORSENING[WORSENING.index(peer.target_state) + 1 :]
    return [
        *(structs.replace(peer, target_state=state) for state in worse_states),
        structs.replace(peer, clock_skew_ms=CLOCK_SKEW_MS_MAX + 1),
        structs.replace(peer, debug_enabled=False),
        structs.replace(peer, profile=Profile.WAN, accepts_cut=False),
        structs.replace(peer, without_tls=("runtime.web.tls", "runtime.mesh.tls")),
        structs.replace(peer, trust_reason=TrustReason.DUPLICATE_INSTANCE),
        *(structs.replace(peer, accepts=accepts) for accepts in _without_one(peer.accepts)),
        *(
            structs.replace(peer, trust_reason=reason)
            for reason in SEEN_REASONS
            if peer.trust_reason is None
        ),
    ]


def _without_one(items: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [items[:index] + items[index + 1 :] for index in range(len(items))]
