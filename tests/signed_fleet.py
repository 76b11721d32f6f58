"""Runtimes that speak with real signatures, and one that listens to them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import structs

from fakes.clock import WALL_START_NS, FakeClock
from fakes.log import FakeLog
from trust_runtime.adapters.pki.certificates import make_self_signed
from trust_runtime.adapters.pki.identity import Identity
from trust_runtime.adapters.pki.signer import JwsSigner
from trust_runtime.contracts.audit import EMPTY_CHAIN
from trust_runtime.contracts.config import EMPTY_ETAG
from trust_runtime.contracts.envelope import MeshMessage, TokenType
from trust_runtime.contracts.fleet import Edge
from trust_runtime.contracts.ids import BootId, RuntimeId, name_of, site_of
from trust_runtime.contracts.keyspace import beacon_key, edges_key, token_key
from trust_runtime.contracts.policy import Profile
from trust_runtime.contracts.presence import (
    BeaconStatus,
    ConfigReport,
    LinkState,
    MeshReport,
    PresenceLimits,
)
from trust_runtime.contracts.settings import (
    Address,
    DiscoverySettings,
    LogLevel,
    MeshSettings,
    Settings,
    WebSettings,
)
from trust_runtime.contracts.units import NS_PER_S
from trust_runtime.ports.mesh import MessageHandler, QueryHandler, Silence, TokenHandler
from trust_runtime.services.peers import Peers
from trust_runtime.services.running import Running
from trust_runtime.services.signing import Signing

NOW_S = WALL_START_NS // NS_PER_S
OWN = RuntimeId("press-1")
OTHER = RuntimeId("site-b/press-2")

STATUS = BeaconStatus(
    lifecycle="running",
    period_ms=1_000,
    seq=1,
    boot_id=BootId(""),
    version="0.1.0",
    api_version="1.0",
    uptime_ms=5,
    health="healthy",
    engine_state="absent",
    profile="dev",
    control_mode="production",
    debug_enabled=False,
    config=ConfigReport(
        state="in_sync",
        desired_revision=0,
        reported_revision=0,
        desired_etag=EMPTY_ETAG,
        schema="sha256:0",
    ),
    mesh=MeshReport(port=7447, tls=False, role="peer", addresses=("127.0.0.1:7447",)),
    host_key="host",
    audit_head=EMPTY_CHAIN,
)


class Chance:
    """Implements `ports.entropy.Entropy`: ids count up, and the fraction is what the test says."""

    def __init__(self, fraction: float = 0.5) -> None:
        self.value = fraction
        self._made = 0

    def uuid7(self) -> str:
        self._made += 1
        return boot(self._made)

    def fraction(self) -> float:
        return self.value


class Wire:
    """Implements `ports.mesh.Mesh` for one runtime: shows what it sends, hands it what it gets."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.is_open = True
        self.sent: list[tuple[int, MeshMessage]] = []
        self.asked: list[tuple[int, MeshMessage]] = []
        self.takers: dict[str, MessageHandler] = {}
        self.watchers: dict[str, TokenHandler] = {}
        self.lost: dict[str, int] = {}
        self.answer: Callable[[MeshMessage], Awaitable[MeshMessage | Silence]] = self._nobody

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    def subscribe(self, key: str, handler: MessageHandler) -> None:
        self.takers[key] = handler

    def watch_tokens(self, key: str, handler: TokenHandler) -> None:
        self.watchers[key] = handler

    def serve(self, key: str, handler: QueryHandler, *, waiting_max: int) -> None:
        raise AssertionError(f"nothing under test serves {key} ({handler}, {waiting_max})")

    def hold_token(self, key: str) -> None:
        raise AssertionError(f"nothing under test holds {key}")

    def release_token(self, key: str) -> None:
        raise AssertionError(f"nothing under test holds {key}")

    def put(self, message: MeshMessage) -> None:
        self.sent.append((self._clock.monotonic_ns(), message))

    async def query(self, message: MeshMessage, *, timeout_ms: int) -> MeshMessage | Silence:
        self.asked.append((self._clock.monotonic_ns(), message))
        try:
            async with asyncio.timeout(timeout_ms / 1_000):
                return await self.answer(message)
        except TimeoutError:
            return Silence.TIMEOUT

    async def dial(self, address: str) -> bool:
        raise AssertionError(f"nothing under test dials {address}")

    def dropped(self) -> dict[str, int]:
        return dict(self.lost)

    @staticmethod
    async def _nobody(_message: MeshMessage) -> MeshMessage | Silence:
        return Silence.NOBODY


def boot(number: int) -> BootId:
    """Return an incarnation; a higher number is a later one."""
    return BootId(f"01990000-0000-7000-8000-{number:012x}")


def signer_of(runtime: RuntimeId, key: str = "first") -> JwsSigner:
    """Return the one signer of `runtime` with that `key`, whatever it is called."""
    return _signer(runtime, key)


@cache
def _signer(runtime: RuntimeId, _key: str) -> JwsSigner:
    pair = ec.generate_private_key(ec.SECP256R1())
    certificate = make_self_signed(pair, runtime, now_s=NOW_S)
    return JwsSigner(Identity(runtime_id=runtime, key=pair, chain=(certificate,)))


def settings_of(runtime: RuntimeId = OWN, **changes: Any) -> Settings:
    """Return settings of a runtime on loopback, unless changed."""
    settings = Settings(
        runtime_id=runtime,
        name=name_of(runtime),
        site=site_of(runtime),
        profile=Profile.DEV,
        control_socket="/run/control.sock",
        log_level=LogLevel.INFO,
        web=WebSettings(enabled=True, listen=Address(ip="127.0.0.1", port=8080), allowed_hosts=()),
        discovery=DiscoverySettings(enabled=False, advertise=True, interfaces=(), host_group=None),
        mesh=MeshSettings(
            enabled=True,
            role="peer",
            listen=Address(ip="127.0.0.1", port=7447),
            connect=(),
            auth_token=None,
            allow_open=False,
        ),
        allow_write=(),
        presence=PresenceLimits(),
    )
    return structs.replace(settings, **changes)


class Speaker:
    """One incarnation of a runtime: what it would send on the mesh."""

    def __init__(
        self,
        clock: FakeClock,
        runtime: RuntimeId = OTHER,
        *,
        number: int = 1,
        key: str = "first",
    ) -> None:
        self.runtime = runtime
        self.boot = boot(number)
        self.token = token_key(runtime, self.boot)
        self.signer = signer_of(runtime, key)
        self.signing = Signing(own=runtime, signer=self.signer, clock=clock, entropy=Chance())
        self.seq = 0
        self._clock = clock
        self._started_ns = clock.monotonic_ns()

    def beacon(self, *, seq: int | None = None, **changes: Any) -> MeshMessage:
        """Return the next beacon, or that of `seq`."""
        self.seq = self.seq + 1 if seq is None else seq
        uptime_ms = (self._clock.monotonic_ns() - self._started_ns) // 1_000_000
        own = {"seq": self.seq, "boot_id": self.boot, "uptime_ms": uptime_ms}
        status = structs.replace(STATUS, **{**own, **changes})
        return self.broadcast(TokenType.BEACON, beacon_key(self.runtime), status)

    def edges(self, *targets: RuntimeId, source: RuntimeId | None = None) -> MeshMessage:
        """Return healthy edges to `targets`."""
        self.seq += 1
        edges = tuple(
            Edge(
                source=source or self.runtime,
                target=target,
                channel_type="mesh_t2_ops",
                state=LinkState.HEALTHY,
                stale=False,
                latency_ms_p95=1.0,
                loss_pct=0.0,
                last_ok_ns=1,
            )
            for target in targets
        )
        return self.broadcast(TokenType.EVENT, edges_key(self.runtime), edges)

    def broadcast(self, kind: TokenType, key: str, content: object) -> MeshMessage:
        """Return anything, signed, with the present `seq`."""
        return self.signing.broadcast(kind, key, content, seq=self.seq, boot_id=self.boot)


class Listener:
    """The peer table of one runtime, and what it told others."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock(booted_ns=1_000 * NS_PER_S)
        self.log = FakeLog()
        self.running = Running(
            settings=settings_of(OWN, **changes),
            file_values={},
            boot_id=boot(1_000),
            clock=self.clock,
        )
        self.signing = Signing(own=OWN, signer=signer_of(OWN), clock=self.clock, entropy=Chance())
        self.peers = Peers(
            own=OWN,
            running=self.running,
            signing=self.signing,
            clock=self.clock,
            log=self.log,
        )
        self.wire = Wire(self.clock)
        self.chance = Chance()
        self.changes = 0
        self.tokens = 0
        self.kept: list[RuntimeId] = []
        self.peers.on_change = self._count_change
        self.peers.on_token = self._count_token
        self.peers.on_keep = self.kept.append

    def pass_ns(self, length_ns: int) -> None:
        """Let time pass."""
        self.clock.time.now_ns += length_ns

    def _count_change(self) -> None:
        self.changes += 1

    def _count_token(self) -> None:
        self.tokens += 1

    def speaker(
        self, runtime: RuntimeId = OTHER, *, number: int = 1, key: str = "first"
    ) -> Speaker:
        """Return another runtime, not heard of yet; its clock is this one's."""
        return Speaker(self.clock, runtime, number=number, key=key)

    def online(self, runtime: RuntimeId = OTHER, *, number: int = 1, key: str = "first") -> Speaker:
        """Return another runtime whose token and first beacon were heard."""
        speaker = self.speaker(runtime, number=number, key=key)
        self.peers.take_token(speaker.token, alive=True)
        self.peers.take_beacon(speaker.beacon())
        return speaker
