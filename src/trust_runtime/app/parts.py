"""The parts of a process: the adapters it runs on, and the services that run."""

from dataclasses import dataclass

from trust_runtime.ports.action_rows import ActionRowStore
from trust_runtime.ports.clock import Clock
from trust_runtime.ports.entropy import Secrets
from trust_runtime.ports.heads import HeadStore
from trust_runtime.ports.identity_files import IdentityFiles
from trust_runtime.ports.io_file import IoFile
from trust_runtime.ports.links import LinkStore
from trust_runtime.ports.log import Log
from trust_runtime.ports.mesh import Mesh
from trust_runtime.ports.pairings import PairingStore
from trust_runtime.ports.reach import Reach
from trust_runtime.ports.signer import Signer
from trust_runtime.ports.store import AuditLog, ConfigStore, LedgerStore, PeerStore
from trust_runtime.ports.timeline import HistoryStore, TimelineStore
from trust_runtime.services.action_rows import ActionRows
from trust_runtime.services.actions import Actions
from trust_runtime.services.audit import Audit
from trust_runtime.services.beacons import Beacons
from trust_runtime.services.chronicle import Chronicle
from trust_runtime.services.config_agent import ConfigAgent
from trust_runtime.services.control import Control
from trust_runtime.services.desired_writes import DesiredWrites
from trust_runtime.services.dialling import Dialling
from trust_runtime.services.doorkeeper import Doorkeeper
from trust_runtime.services.execution import Execution
from trust_runtime.services.fleet import Fleet
from trust_runtime.services.fleet_config import FleetConfig
from trust_runtime.services.fleet_io import FleetIo
from trust_runtime.services.hails import Hails
from trust_runtime.services.history import History
from trust_runtime.services.identity_watch import IdentityWatch
from trust_runtime.services.io_orders import IoOrders
from trust_runtime.services.link_refusals import LinkRefusals
from trust_runtime.services.links import Links
from trust_runtime.services.live_parts import LogControl
from trust_runtime.services.pairings import Pairings
from trust_runtime.services.peers import Peers
from trust_runtime.services.presence import Presence
from trust_runtime.services.probes import Probes
from trust_runtime.services.proxies import Proxies
from trust_runtime.services.refusals import Refusals
from trust_runtime.services.running import Running
from trust_runtime.services.settling import Settling
from trust_runtime.services.signing import Signing
from trust_runtime.services.stalls import Stalls
from trust_runtime.services.status import Status
from trust_runtime.services.store_health import StoreHealth
from trust_runtime.services.stream import Stream
from trust_runtime.services.target import Target
from trust_runtime.services.timeline import Timeline
from trust_runtime.services.views import Views
from trust_runtime.services.witness import Witness


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The durable things, whoever keeps them."""

    audit: AuditLog
    ledger: LedgerStore
    config: ConfigStore
    peers: PeerStore
    timeline: TimelineStore
    history: HistoryStore
    heads: HeadStore
    action_rows: ActionRowStore
    links: LinkStore
    pairings: PairingStore


@dataclass(frozen=True, kw_only=True)
class World:
    """The adapters a process runs on; a simulator brings its own."""

    clock: Clock
    entropy: Secrets
    signer: Signer
    identity_files: IdentityFiles
    mesh: Mesh
    reach: Reach
    stores: Stores
    io_file: IoFile
    log: Log
    log_control: LogControl
    host_key: str


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """What everything else stands on."""

    fingerprint: str
    running: Running
    health: StoreHealth
    signing: Signing
    peers: Peers
    audit: Audit
    refusals: Refusals
    pairings: Pairings
    doorkeeper: Doorkeeper
    identity: IdentityWatch
    config: ConfigAgent
    status: Status


@dataclass(frozen=True, kw_only=True)
class Senses:
    """What tells of this runtime and hears of others."""

    presence: Presence
    beacons: Beacons
    probes: Probes
    dialling: Dialling
    fleet: Fleet


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What finds out why, remembers what was, and tells who listens."""

    stalls: Stalls
    hails: Hails
    views: Views
    witness: Witness
    timeline: Timeline
    stream: Stream
    history: History
    chronicle: Chronicle
    refused: LinkRefusals


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """What acts on request."""

    execution: Execution
    rows: ActionRows
    settling: Settling
    actions: Actions
    desired: DesiredWrites
    fleet_config: FleetConfig
    target: Target
    control: Control
    links: Links
    io: IoOrders
    fleet_io: FleetIo
    proxies: Proxies


@dataclass(frozen=True, kw_only=True)
class Services(Foundation, Senses, Watching, Deeds):
    """Everything that runs, built and joined, not yet started."""
