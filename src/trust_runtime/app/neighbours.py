"""Opens the mesh and mDNS, keeps them open, and leaves them in order (contract 3.4, 5.2)."""

import asyncio
from typing import Final

from trust_runtime.adapters.mdns.discovery import MdnsDiscovery
from trust_runtime.adapters.system.host import host_name
from trust_runtime.app.addresses import discovery_addresses
from trust_runtime.app.opening import Opened
from trust_runtime.app.parts import Services
from trust_runtime.contracts.discovery import Advertisement
from trust_runtime.contracts.errors import MeshUnavailable
from trust_runtime.contracts.keyspace import token_key
from trust_runtime.core.preconditions import mesh_barred

_RETRY_S: Final = 5.0
_LOOK_S: Final = 1.0
_FLUSH_S: Final = 0.05


class Neighbours:
    """What this process needs of others; none of it can stop the process."""

    def __init__(self, services: Services, opened: Opened) -> None:
        self._services = services
        self._settings = services.running.settings
        self._mesh = opened.mesh
        self._reach = opened.reach
        self._log = opened.log
        self._discovery = MdnsDiscovery()
        self._discovery_open = False
        self._tried = asyncio.Event()
        self._reopen = asyncio.Event()
        opened.mesh.on_refused = services.refused.take

    async def started(self) -> None:
        """Wait until both were tried once."""
        await self._tried.wait()

    async def run(self) -> None:
        """Open what is configured; what fails is a degraded reason and tried every 5 s."""
        while True:
            if self._settings.mesh.enabled and not self._mesh.is_open:
                await self._open_mesh()
            self._tried.set()
            mesh_ready = self._mesh.is_open or not self._settings.mesh.enabled
            if self._settings.discovery.enabled and not self._discovery_open and mesh_ready:
                await self._open_discovery()
            await asyncio.sleep(_RETRY_S)

    async def watch_files(self) -> None:
        """Notice within 2 s that certificates or bundles are others than those in use.

        They are taken at once when others refuse the ones in use because they have expired.
        """
        status = self._services.status
        while True:
            await asyncio.sleep(_LOOK_S)
            required = await self._mesh.files_changed()
            if required and not status.mesh_reopen_required:
                self._log.warn(
                    "mesh_reopen_required",
                    "certificates or bundles changed; mesh links follow after SIGHUP or a restart",
                )
            status.mesh_reopen_required = required
            if required and self._services.refused.own_certificate_expired():
                self.want_reopen()  # Renewed too late: no link is left that could be lost.

    async def reopen_on_demand(self) -> None:
        """Open the mesh anew whenever `want_reopen` asks for it and the files are others."""
        status = self._services.status
        while True:
            await self._reopen.wait()
            self._reopen.clear()
            if await self._mesh.files_changed():
                self._log.info("mesh_reopened", "the mesh is opened anew with the files of now")
                await self._open_mesh(again=True)
            elif self._mesh.is_open:
                status.mesh_problem = None  # Files that could not be used are as before again.
            status.mesh_reopen_required = await self._mesh.files_changed()

    def want_reopen(self) -> None:
        """Ask for the mesh to be opened anew; nothing happens while its files are the same."""
        self._reopen.set()

    async def leave(self) -> None:
        """Say goodbye on the mesh and by mDNS; nothing of it may raise."""
        if self._mesh.is_open:
            self._services.beacons.send(leaving=True)
            # The goodbye goes out before the token does: whoever sees the token go knows why.
            await asyncio.sleep(_FLUSH_S)
            self._mesh.release_token(
                token_key(self._settings.runtime_id, self._services.running.boot_id)
            )
        await self._discovery.close()
        await self._reach.close()
        await self._mesh.close()

    async def _open_mesh(self, *, again: bool = False) -> None:
        status = self._services.status
        problem = mesh_barred(status.unmet())
        try:
            if problem is None:
                await (self._mesh.reopen() if again else self._mesh.open())
        except MeshUnavailable as error:
            problem = str(error)
        if problem is not None and status.mesh_problem is None:
            self._log.warn("mesh_degraded", problem)
        status.mesh_problem = problem
        if problem is None:
            self._services.beacons.soon()
            await self._open_reach()
        status.on_change()

    async def _open_reach(self) -> None:
        """Take datagrams beside the mesh; without them a one-way cut looks like a partition."""
        status = self._services.status
        try:
            await self._reach.close()
            await self._reach.open(self._services.hails.take)
        except OSError as error:
            status.reach_problem = f"no datagrams on {self._settings.mesh.listen}: {error.strerror}"
            self._log.warn("reach_degraded", status.reach_problem)
        else:
            status.reach_problem = None

    async def _open_discovery(self) -> None:
        settings, status = self._settings, self._services.status
        addresses, missing = discovery_addresses(settings)
        try:
            await self._discovery.open(
                self._advertisement(addresses) if settings.discovery.advertise else None,
                interfaces=addresses,
                on_sighting=self._services.dialling.take_sighting,
            )
        except OSError as error:
            problem: str | None = f"mDNS cannot be used: {error}"
        else:
            self._discovery_open = True
            problem = f"interfaces missing: {', '.join(missing)}" if missing else None
        if problem is not None and status.discovery_problem is None:
            self._log.warn("discovery_degraded", problem)
        status.discovery_problem = problem
        status.on_change()

    def _advertisement(self, addresses: tuple[str, ...]) -> Advertisement:
        settings = self._settings
        listens = settings.mesh.enabled and settings.mesh.role == "peer" and self._mesh.is_open
        return Advertisement(
            runtime_id=settings.runtime_id,
            site=settings.site,
            host_name=host_name(),
            addresses=addresses,
            mesh_port=settings.mesh.listen.port if listens else None,
            mesh_tls=settings.mesh.tls,
            web_port=settings.web.listen.port if settings.web.enabled else None,
            web_tls=settings.web.enabled and settings.web.tls,
            host_group=settings.discovery.host_group,
            fingerprint=self._services.fingerprint,
        )
