"""One runtime's place in the mesh. Implements `ports.mesh.Mesh`."""

import asyncio
from collections import Counter
from collections.abc import Callable

import zenoh

from trust_runtime.adapters.mesh.answering import Responder
from trust_runtime.adapters.mesh.asking import ask
from trust_runtime.adapters.mesh.blocking import close_in_thread, open_in_thread
from trust_runtime.adapters.mesh.dialling import Dialler
from trust_runtime.adapters.mesh.lingering import Lingering
from trust_runtime.adapters.mesh.listening import MessageListener, TokenWatcher
from trust_runtime.adapters.mesh.problems import Problems
from trust_runtime.adapters.mesh.qos import qos_of
from trust_runtime.adapters.mesh.session_config import (
    MeshOptions,
    mesh_password,
    session_config,
    users_file,
)
from trust_runtime.adapters.mesh.tls_material import TlsMaterial, read_material
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.errors import ContractViolation, MeshUnavailable
from trust_runtime.contracts.link_refusals import LinkRefusal
from trust_runtime.ports.mesh import MessageHandler, QueryHandler, Silence, TokenHandler


class ZenohMesh:
    """Speaks Zenoh for one runtime; every method but `put` belongs to the event loop's thread.

    What it declares outlives a session: `open` after `close`, or after a failed `open`, starts
    afresh with all of it. `on_problem` is told of faults that nobody could catch: a handler that
    raised, a message that could not be sent. It is called from any thread. `on_refused` is told on
    the loop of links that were not made.
    """

    def __init__(
        self, options: MeshOptions, *, on_problem: Callable[[str], None] = lambda _: None
    ) -> None:
        token = options.auth_token
        self.on_refused: Callable[[LinkRefusal], None] = lambda _: None
        self._options = options
        self._password = None if token is None else mesh_password(token)
        self._problems = Problems(on_problem)
        self._dialler = Dialler(
            options,
            self._password,
            problems=self._problems,
            on_refused=self._refused,
        )
        self._lingering = Lingering()
        self._material: TlsMaterial | None = None
        self._listeners: list[MessageListener | TokenWatcher] = []
        self._responders: list[Responder] = []
        self._held: dict[str, zenoh.LivelinessToken | None] = {}
        self._session: zenoh.Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changing = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """See `Mesh.is_open`."""
        return self._session is not None

    async def files_changed(self) -> bool:
        """Tell whether certificates or bundles differ from those this session was opened with.

        Links follow only when the session is opened anew. Files that cannot be read now differ.
        """
        material, tls = self._material, self._options.tls
        if self._session is None or material is None or tls is None:
            return False
        try:
            return (await asyncio.to_thread(read_material, tls)).digest != material.digest
        except MeshUnavailable:
            return True

    async def open(self) -> None:
        """See `Mesh.open`; opening an open session does nothing."""
        async with self._changing:
            if self._session is not None:
                return
            self._loop = asyncio.get_running_loop()
            try:
                session = await open_in_thread(self._open_blocking)
            except (zenoh.ZError, OSError) as error:
                raise MeshUnavailable(_describe(error, self._options)) from error
            self._session = session
            try:
                self._declare_all(session)
            except zenoh.ZError as error:
                await self._close(session)
                raise MeshUnavailable(_describe(error, self._options)) from error
            self._dialler.open(session, self._material)
            self._lingering.open(self._loop)

    async def reopen(self) -> None:
        """Close the session and open it with the files as they are now.

        Raises:
            MeshUnavailable: with files that cannot be used the session stays as it is; when only
                Zenoh refuses them, there is none afterwards.
        """
        if self._options.tls is not None:
            await asyncio.to_thread(read_material, self._options.tls)
        await self.close()
        await self.open()

    async def close(self) -> None:
        """See `Mesh.close`; handlers that still run are cancelled."""
        async with self._changing:
            if self._session is not None:
                await self._close(self._session)

    def subscribe(self, key: str, handler: MessageHandler) -> None:
        """See `Mesh.subscribe`."""
        self._listen(MessageListener(_checked(key), handler, self._problems))

    def watch_tokens(self, key: str, handler: TokenHandler) -> None:
        """See `Mesh.watch_tokens`; when the session closes, all of them vanish."""
        self._listen(TokenWatcher(_checked(key), handler, self._problems))

    def serve(self, key: str, handler: QueryHandler, *, waiting_max: int) -> None:
        """See `Mesh.serve`; a query beyond `waiting_max` ends at once with an error."""
        responder = Responder(_checked(key), handler, self._problems, waiting_max=waiting_max)
        self._responders.append(responder)
        self._start(responder)

    def hold_token(self, key: str) -> None:
        """See `Mesh.hold_token`; holding it twice is holding it once."""
        if self._held.get(_checked(key)) is None:
            session = self._session
            # Zenoh withdraws a token that nobody refers to: it lives in this dictionary.
            self._held[key] = session and session.liveliness().declare_token(key)

    def release_token(self, key: str) -> None:
        """See `Mesh.release_token`."""
        if key in self._held:
            self._withdraw(key)
            del self._held[key]

    def put(self, message: MeshMessage) -> None:
        """See `Mesh.put`; callable from any thread."""
        session = self._session
        if session is None:
            return
        priority, congestion_control = qos_of(message.key)
        try:
            session.put(
                message.key,
                message.body,
                attachment=message.token or None,
                priority=priority,
                congestion_control=congestion_control,
            )
        except zenoh.ZError as error:
            self._problems.add("message not sent", f"{message.key}: {error}")

    async def query(self, message: MeshMessage, *, timeout_ms: int) -> MeshMessage | Silence:
        """See `Mesh.query`; nobody answers while the session is closed."""
        session = self._session
        if session is None:
            return Silence.NOBODY
        try:
            return await ask(session, message, timeout_ms=timeout_ms)
        except zenoh.ZError as error:
            self._problems.add("query not sent", f"{message.key}: {error}")
            return Silence.NOBODY

    async def dial(self, address: str) -> bool:
        """See `Mesh.dial`; within 2 s once it is its turn, four at a time.

        False as well for a client, which has one link and chooses it when it opens.
        """
        return await self._dialler.dial(address)

    def dropped(self) -> dict[str, int]:
        """See `Mesh.dropped`."""
        counts: Counter[str] = Counter()
        for entity in (*self._listeners, *self._responders):
            counts[entity.key] += entity.dropped
        return dict(counts)

    def problems(self) -> dict[str, int]:
        """Return how often each kind of problem happened."""
        return self._problems.counts()

    def _refused(self, refusal: LinkRefusal) -> None:
        self.on_refused(refusal)

    def _listen(self, listener: MessageListener | TokenWatcher) -> None:
        self._listeners.append(listener)
        self._start(listener)

    def _start(self, entity: MessageListener | TokenWatcher | Responder) -> None:
        if self._session is not None and self._loop is not None:
            entity.open(self._loop)
            # On the loop on purpose: well under a millisecond, and no thread can lose it.
            entity.declare(self._session)

    def _open_blocking(self) -> zenoh.Session:
        options = self._options
        material = None if options.tls is None else read_material(options.tls)
        for bundle in () if material is None else material.left_out:
            self._problems.add("bundle left out", bundle)
        with users_file(options.users_file, self._password):
            session = zenoh.open(session_config(options, self._password, material))
        self._material = material
        return session

    def _declare_all(self, session: zenoh.Session) -> None:
        for entity in (*self._listeners, *self._responders):
            self._start(entity)
        # Last: whoever sees the token may count on all the rest.
        for key in self._held:
            self._held[key] = session.liveliness().declare_token(key)

    async def _close(self, session: zenoh.Session) -> None:
        self._session = None
        for key in self._held:
            self._withdraw(key)
        for entity in (*self._listeners, *self._responders):
            entity.close()
        try:
            await self._dialler.close()
            for responder in self._responders:
                await responder.finished()
        finally:
            self._lingering.close()
            await close_in_thread(session)

    def _withdraw(self, key: str) -> None:
        token, self._held[key] = self._held[key], None
        if token is not None:
            token.undeclare()  # type: ignore[no-untyped-call]  # Zenoh's stub lacks it.


def _checked(key: str) -> str:
    try:
        zenoh.KeyExpr(key)
    except zenoh.ZError as error:
        raise ContractViolation("key", key, "a Zenoh key expression") from error
    return key


def _describe(error: Exception, options: MeshOptions) -> str:
    where = ", ".join((*options.listen, *options.connect)) or "nowhere"
    return f"cannot open the mesh session ({where}): {error}"
