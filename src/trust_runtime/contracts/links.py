"""How process data travels from one runtime to another, as an operator prefers it (14.1, 6.13)."""

from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from trust_runtime.contracts.denial import Denial
from trust_runtime.contracts.ids import RuntimeId

LINKS_MAX: Final = 4_096
"""Most preferences one runtime stores (contract 1.6)."""

CONFIG_ACTOR: Final = "config"
"""Actor of every preference that the configuration asks for."""


@unique
class Transport(StrEnum):
    """What carries process data over one link."""

    REALTIME = "realtime"
    ZENOH = "zenoh"
    MESH = "mesh"
    MQTT = "mqtt"
    MODBUS_TCP = "modbus-tcp"
    OPCUA = "opcua"
    DISCOVERY = "discovery"
    WEB = "web"


@unique
class LinkOrigin(StrEnum):
    """Who asked for a preference."""

    API = "api"
    CONFIG = "config"


class LinkEntry(Struct, frozen=True, kw_only=True):
    """One entry of `runtime.cloud.links.transports`; its source is this runtime."""

    target: RuntimeId
    """To whom."""

    transport: Transport
    """By what."""


class LinkPreference(Struct, frozen=True, kw_only=True):
    """One preference as it is shown."""

    source: str
    """Canonical id of the runtime that stores it."""

    target: str
    """Canonical id of the other end."""

    transport: Transport
    """By what."""

    actor: str
    """Who asked for it; `config` for an entry of the configuration."""

    updated_at_ns: int
    """Wall clock when it was set; for an entry of the configuration when that came into force."""

    origin: LinkOrigin
    """Whether it is stored or stands in the configuration."""


class TransportWrite(Struct, frozen=True, kw_only=True):
    """The body of `POST links/transport`; texts are as given."""

    api_version: str
    """`MAJOR.MINOR`."""

    actor: str
    """The claim."""

    source: str
    """This runtime, in any accepted spelling."""

    target: str
    """Another runtime, in any accepted spelling."""

    transport: str
    """One of `Transport`."""


class LinkAnswer(Struct, frozen=True, kw_only=True):
    """What became of a change of the preferences."""

    denial: Denial | None = None
    """Why nothing was changed; None when it was."""

    preference: LinkPreference | None = None
    """What was set or removed; None when refused."""

    warnings: tuple[str, ...] = ()
    """What is unwise about it, although it was set."""

    audit_id: str
    """The record of the decision."""


class LinkPage(Struct, frozen=True, kw_only=True):
    """The answer of `GET links`."""

    api_version: str
    """Always `1.0`."""

    items: tuple[LinkPreference, ...]
    """Ascending by source and target."""


class LinkSet(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `POST links/transport` when the preference was stored."""

    ok: bool
    """Always true."""

    preference: LinkPreference
    """As it is in force now."""

    audit_id: str
    """The record of the change."""

    warnings: tuple[str, ...] = ()
    """What is unwise about it; absent when nothing is."""


class LinkRemoved(Struct, frozen=True, kw_only=True):
    """The answer of `DELETE links` when the preference was forgotten."""

    ok: bool
    """Always true."""

    removed: LinkPreference
    """What it was."""

    audit_id: str
    """The record of the change."""
