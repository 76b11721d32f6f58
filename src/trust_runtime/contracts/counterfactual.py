"""What would have to change for a denied decision to allow, and who may change it."""

from enum import StrEnum, unique
from typing import Any

from msgspec import Struct

from trust_runtime.contracts.policy import AllowRule, Role


@unique
class ChangeKind(StrEnum):
    """What is changed."""

    REQUEST = "request"
    """One member of the request, by the caller."""
    ROLE = "role"
    """The caller's role."""
    RULE = "rule"
    """One more rule of `runtime_cloud.wan.allow_write`."""
    CONFIG = "config"
    """A configuration key."""
    TRUST = "trust"
    """A certificate or a bundle, at the machine."""
    REPAIR = "repair"
    """A process, a clock or a disk, at the machine."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that must change; without it the decision stays denied."""

    kind: ChangeKind
    """What is changed."""

    checks: tuple[str, ...]
    """Names of the denying checks it answers, in order."""

    at: str | None = None
    """The runtime where it is changed; absent: in the request itself."""

    role: Role | None = None
    """The least role there that may change it; absent: none is asked for by a runtime."""

    text: str
    """For people: what to do, where, and who may."""

    member: str | None = None
    """Kind `request`: the member."""

    key: str | None = None
    """Kinds `rule` and `config`: the configuration key."""

    value: Any = None
    """Kinds `request` and `config`: the value; absent when it is for somebody to choose."""

    rule: AllowRule | None = None
    """Kind `rule`: the narrowest rule that is enough, as it is written at `at`."""

    grant: Role | None = None
    """Kind `role`: the least role the caller needs."""


class Obstacle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A denial that no grant and no setting takes away."""

    check: str
    """Name of the denying check."""

    runtime_id: str | None = None
    """The target it is about; absent: the whole request."""

    reason: str
    """Why nothing allows it, and what to do instead."""


class WouldAllow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The smallest set of changes that turns a denied decision into an allowed one."""

    possible: bool
    """Whether there is such a set."""

    changes: tuple[Change, ...] = ()
    """All of them together are enough, and not one can be left out."""

    never: tuple[Obstacle, ...] = ()
    """Why there is none."""

    unknown: tuple[str, ...] = ()
    """What only a target knows that was not heard: it may deny then for its own reasons."""
