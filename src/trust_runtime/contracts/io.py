"""The I/O configuration of a runtime: drivers and safe state (contract 4.4, 6.15, 14.2)."""

from enum import StrEnum, unique
from typing import Any

from msgspec import Struct, field

from trust_runtime.contracts.denial import Denial


@unique
class IoSource(StrEnum):
    """Which file the configuration comes from."""

    PROJECT = "project"
    SYSTEM = "system"
    DEFAULT = "default"


class IoDriver(Struct, frozen=True, kw_only=True):
    """One driver."""

    name: str
    """Its name; canonical where it is shown."""

    params: dict[str, Any] = field(default_factory=dict)
    """Its parameters; secret ones are shown as `<redacted>`."""


class IoOutput(Struct, frozen=True, kw_only=True):
    """What one output is set to when the program cannot be trusted with it."""

    address: str
    """`%Q` address."""

    value: Any
    """`TRUE`, `FALSE`, `1`, `0` for a bit; a decimal or `0x...` number else."""


class IoContent(Struct, frozen=True, kw_only=True):
    """What an `io.toml` without problems says, names canonical."""

    drivers: tuple[IoDriver, ...]
    """In order, at least one."""

    safe_state: tuple[IoOutput, ...] = ()
    """In order."""


class IoView(Struct, frozen=True, kw_only=True):
    """The answer of `GET io/config`."""

    runtime_id: str
    """Whose configuration."""

    driver: str
    """Name of the first driver."""

    params: dict[str, Any]
    """Its parameters."""

    drivers: tuple[IoDriver, ...]
    """All of them, in order."""

    safe_state: tuple[IoOutput, ...]
    """In order."""

    supported_drivers: tuple[str, ...]
    """What this version can drive, ascending."""

    source: IoSource
    """Which file it stands in."""

    use_system_io: bool
    """Whether the file of the machine is used."""

    etag: str
    """Fingerprint of drivers and safe state."""


class IoWrite(Struct, frozen=True, kw_only=True):
    """The body of `POST io/config`; either `use_system_io`, or drivers in one of two forms."""

    api_version: str
    """`MAJOR.MINOR`."""

    actor: str
    """The claim."""

    target_runtime: str
    """Whose configuration, in any accepted spelling."""

    driver: str | None = None
    """Single-driver form."""

    params: dict[str, Any] | None = None
    """Its parameters; null leaves one out, `<redacted>` keeps the stored value."""

    drivers: list[IoDriver] | None = None
    """Multi-driver form, in order."""

    safe_state: list[IoOutput] | None = None
    """Absent: none."""

    use_system_io: bool | None = None
    """True: remove the project's own file and use that of the machine."""

    expected_etag: str | None = None
    """Refused with 409 when the present etag is another."""

    request_id: str | None = None
    """Makes the write idempotent."""


class IoParams(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Payload of `io.write`: what is to be written; members as in `IoWrite`."""

    driver: str | None = None
    """Single-driver form."""

    params: dict[str, Any] | None = None
    """Its parameters."""

    drivers: list[IoDriver] | None = None
    """Multi-driver form."""

    safe_state: list[IoOutput] | None = None
    """Absent: none."""

    use_system_io: bool = False
    """Use the file of the machine."""

    expected_etag: str | None = None
    """Precondition."""


class IoAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a write."""

    denial: Denial | None = None
    """Why nothing was written, or not durably; None when it was."""

    etag: str | None = None
    """Of what stands in the file now, also when it is not known to be durable; None when nothing
    was written."""

    audit_id: str | None = None
    """The record of the write."""

    replayed: bool = False
    """The same request had been executed before."""


class IoSaved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `POST io/config` when the write was accepted."""

    ok: bool
    """Always true."""

    message: str
    """`I/O config saved; restart needed`."""

    etag: str
    """Of what stands in the file now."""

    audit_id: str | None = None
    """The record of the write."""

    replayed: bool = False
    """The same request had been executed before."""
