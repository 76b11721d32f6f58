"""`runtime.toml` as types, after every check (contract 4.2). One table per group."""

from enum import StrEnum, unique

from msgspec import Struct

from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.contracts.links import LinkEntry
from trust_runtime.contracts.policy import AllowRule, Profile
from trust_runtime.contracts.presence import PresenceLimits
from trust_runtime.contracts.secret import Secret


@unique
class LogLevel(StrEnum):
    """How much is logged, least first."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"
    TRACE = "trace"


@unique
class WebAuth(StrEnum):
    """How callers of HTTP prove who they are (contract 6.3)."""

    LOCAL = "local"
    TOKEN = "token"  # noqa: S105 - the name of a choice


@unique
class TlsMode(StrEnum):
    """Whose certificates are used."""

    DISABLED = "disabled"
    SELF_MANAGED = "self-managed"
    PROVISIONED = "provisioned"


class TlsSettings(Struct, frozen=True, kw_only=True):
    """`runtime.tls`; paths are as given, relative ones to the project folder."""

    mode: TlsMode = TlsMode.DISABLED
    """Disabled: nothing speaks TLS."""
    cert_path: str | None = None
    """Certificate of the HTTPS listener; absent: that of the identity."""
    key_path: str | None = None
    """Its key; set exactly when `cert_path` is."""
    ca_path: str | None = None
    """Bundle of the own site; absent: `.trust/identity/ca.pem`."""


class Address(Struct, frozen=True, kw_only=True):
    """An IP address and a TCP port."""

    ip: str
    """Literal IPv4 or IPv6 address, without brackets."""

    port: int
    """1..65535."""

    def __str__(self) -> str:
        """Return `IP:PORT`, IPv6 in brackets."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


class WebSettings(Struct, frozen=True, kw_only=True):
    """`runtime.web`."""

    enabled: bool
    """False: no HTTP at all."""
    listen: Address
    """Where HTTP is served; beyond loopback only with tokens."""
    allowed_hosts: tuple[str, ...]
    """Further `NAME` or `NAME:PORT` accepted in the Host header."""
    auth: WebAuth = WebAuth.LOCAL
    """Local admits this machine alone; token whoever has one."""
    tls: bool = False
    """HTTPS, and nothing else on that port."""


class DiscoverySettings(Struct, frozen=True, kw_only=True):
    """`runtime.discovery`."""

    enabled: bool
    """Whether peers are looked for by mDNS."""
    advertise: bool
    """Whether this runtime is announced."""
    interfaces: tuple[str, ...]
    """Interface names that carry mDNS; empty: those of the listen addresses."""
    host_group: str | None
    """Trimmed, lower-cased."""


class MeshSettings(Struct, frozen=True, kw_only=True):
    """`runtime.mesh`."""

    enabled: bool
    """False: this runtime stands alone."""
    role: str
    """`peer` or `client`."""
    listen: Address
    """Where peers connect; not used by a client."""
    connect: tuple[str, ...]
    """Zenoh locators, `tcp/HOST:PORT`, or `tls/HOST:PORT` with `tls`."""
    auth_token: str | None
    """Shared secret of the mesh; None admits everybody who reaches the address."""
    allow_open: bool
    """True: a non-loopback dev mesh without token was asked for."""
    tls: bool = False
    """Whether links are TLS, both sides with the identity pair."""
    verify_names: bool = True
    """Whether the dialled name or address must stand in the certificate (plant and wan)."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything a process needs to know to run."""

    runtime_id: RuntimeId
    """Canonical id from name and site."""
    name: str
    """`resource.name`."""
    site: SiteName
    """`runtime.cloud.site`, else from the service name, else `default-site`."""
    profile: Profile
    """What must be met before the cloud plane serves."""
    control_socket: str
    """Absolute path of the Unix control socket."""
    log_level: LogLevel
    """Live."""
    web: WebSettings
    """HTTP."""
    control_token: Secret | None = None
    """`control.auth_token`: whoever has it is admin. Live."""
    discovery: DiscoverySettings
    """mDNS."""
    mesh: MeshSettings
    """Zenoh."""
    tls: TlsSettings = TlsSettings()
    """Certificates of listeners and of the own site."""
    allow_write: tuple[AllowRule, ...]
    """Rules for writes across sites, outbound and inbound."""
    links: tuple[LinkEntry, ...] = ()
    """Preferred transports to other runtimes."""
    presence: PresenceLimits
    """When silence becomes a verdict."""
