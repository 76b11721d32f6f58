"""What a caller may ask for, and the role it needs (contract 6.7, 8.1, 14.4)."""

from enum import StrEnum, unique
from typing import Any, Final

from msgspec import Struct, field

from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.receipt import Receipt
from trust_runtime.contracts.units import Unsigned

TARGETS_MAX: Final = 256
QUERY_BUDGET_MS_DEFAULT: Final = 1_500
QUERY_BUDGET_MS_MAX: Final = 10_000


@unique
class ActionType(StrEnum):
    """The three actions of preflight and dispatch."""

    CFG_APPLY = "cfg_apply"
    STATUS_READ = "status_read"
    CMD_INVOKE = "cmd_invoke"


@unique
class ConfigOp(StrEnum):
    """What may be asked on `cfg/agent` (contract 5.4)."""

    READ = "config.read"
    WRITE = "config.write"
    HISTORY = "config.history"
    ROLLBACK = "config.rollback"
    IO_READ = "io.read"
    IO_WRITE = "io.write"


@unique
class OnDenied(StrEnum):
    """What a dispatch does with its allowed targets when another one is denied."""

    ABORT = "abort"
    CONTINUE = "continue"


class ActionRequest(Struct, frozen=True, kw_only=True):
    """The body of preflight and dispatch; texts are as given, the decision checks them."""

    api_version: str
    """`MAJOR.MINOR`."""

    request_id: str
    """Chosen by the caller; the key of idempotency."""

    connected_via: str
    """The runtime the caller believes to be connected to."""

    target_runtimes: list[str]
    """Ids in any accepted spelling."""

    actor: str
    """Whom the caller claims to act for; never an identity."""

    action_type: str
    """One of `ActionType`; an unknown text is denied by the decision."""

    query_budget_ms: Unsigned | None = None
    """How long the caller waits, in milliseconds; capped at 10 000; absent: 1500."""

    dry_run: bool | None = None
    """Decide and audit, but send nothing; absent: false."""

    on_denied: OnDenied | None = None
    """Absent: abort."""

    expected_decision_digest: str | None = None
    """The `decision_digest` of the preflight this dispatch relies on."""

    want_receipt: bool | None = None
    """Preflight only: seal the facts of an allowed decision; absent: false."""

    receipt: Receipt | None = None
    """Dispatch only: the receipt of its preflight. Nothing is sent when a fact has moved since."""

    payload: Any = field(default_factory=dict)
    """What the action needs; see contract 8.1."""


class VerbRead(ActionRequest, frozen=True, kw_only=True):
    """A proxied read: decided as `status_read`, executed as another verb that only reads."""

    verb: str
    """Its name; parameters stand in the payload as those of a command."""


@unique
class Effect(StrEnum):
    """Whether a verb changes something."""

    READ = "read"
    WRITE = "write"


class VerbSpec(Struct, frozen=True, kw_only=True):
    """One control verb of contract 14.4."""

    name: str
    """As on the wire, e.g. `config.get`."""

    role: Role
    """The least role."""

    built: bool = False
    """False: known by contract, answered with `not_configured` in this version."""

    needs: str | None = None
    """What is missing for it to run; None when it is built, or only itself is missing."""

    local_only: bool = False
    """True: control socket only, never through dispatch or a proxy."""

    debug: bool = False
    """True: needs `control.debug_enabled`."""

    params: tuple[str, ...] = ()
    """Names of the parameters it takes."""


def _engine_verbs(role: Role, *names: str, debug: bool = False) -> list[VerbSpec]:
    return [VerbSpec(name=n, role=role, debug=debug, needs="a program engine") for n in names]


def _built(
    role: Role, name: str, *, params: tuple[str, ...] = (), local_only: bool = False
) -> VerbSpec:
    return VerbSpec(name=name, role=role, built=True, params=params, local_only=local_only)


PAIR_CLAIM: Final = "pair.claim"
"""The one verb that needs nobody to be anybody."""

_TABLE: Final = (
    _built(Role.VIEWER, "status"),
    _built(Role.VIEWER, "health"),
    _built(Role.VIEWER, "config.get", params=("keys",)),
    _built(
        Role.VIEWER,
        "audit.list",
        params=("request_id", "actor", "runtime", "limit", "cursor"),
        local_only=True,
    ),
    _built(Role.VIEWER, "audit.get", params=("audit_id",), local_only=True),
    _built(Role.VIEWER, "audit.verify", local_only=True),
    _built(Role.VIEWER, "audit.fleet", local_only=True),
    _built(Role.ADMIN, "audit.accept", params=("runtime_id",), local_only=True),
    _built(Role.VIEWER, "fleet.matrix", local_only=True),
    _built(Role.VIEWER, "peers.list", local_only=True),
    _built(Role.ADMIN, "peers.pin", params=("runtime_id", "pin"), local_only=True),
    _built(Role.ENGINEER, "config.set", params=("*",)),
    _built(Role.ADMIN, "shutdown", params=("confirm",)),
    *_engine_verbs(
        Role.VIEWER,
        *("tasks.stats", "events.tail", "events", "faults", "io.list", "io.read", "var.list"),
    ),
    VerbSpec(name="audit.heads", role=Role.VIEWER),
    *_engine_verbs(
        Role.VIEWER,
        *("var.read", "var.forced", "debug.state", "debug.stack", "debug.variables"),
        "breakpoints.list",
        debug=True,
    ),
    *_engine_verbs(Role.OPERATOR, "pause", "resume", debug=True),
    *_engine_verbs(Role.OPERATOR, "restart"),
    *_engine_verbs(
        Role.ENGINEER,
        *("eval", "step_in", "step_over", "step_out", "breakpoints.set", "breakpoints.clear"),
        *("breakpoints.clear_all", "breakpoints.clear_id", "set", "var.force", "var.unforce"),
        *("io.force", "io.unforce"),
        debug=True,
    ),
    *_engine_verbs(Role.ENGINEER, "io.write"),
    *_engine_verbs(Role.ADMIN, "program.reload", "bytecode.reload"),
    _built(
        Role.ADMIN,
        "pair.start",
        params=("owner", "role", "scope", "token_days", "replaces", "overlap_s"),
        local_only=True,
    ),
    _built(Role.VIEWER, PAIR_CLAIM, params=("code",), local_only=True),
    _built(Role.ADMIN, "pair.list", local_only=True),
    _built(Role.ADMIN, "pair.revoke", params=("token_id",), local_only=True),
)

VERBS: Final[dict[str, VerbSpec]] = {verb.name: verb for verb in _TABLE}
"""Every verb of the contract by name; unbuilt ones are refused with a reason (D64)."""

VERB_READS: Final = frozenset(
    verb.name for verb in _TABLE if verb.role is Role.VIEWER and not verb.local_only
)
"""Verbs that a proxy runs as a read of their own."""

VERB_READ: Final = "verb.read"
"""Operation of `cmd/action` for these; the payload's `command` names the verb (5.4)."""

READS: Final = frozenset(
    {ActionType.STATUS_READ, ConfigOp.READ, ConfigOp.HISTORY, ConfigOp.IO_READ, VERB_READ}
)
"""Actions and operations that change nothing: not remembered, and answered anew each time."""
