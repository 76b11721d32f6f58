"""`doctor`: looks at a project and its surroundings, and names what to mend."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from msgspec import Struct

from trust_runtime.adapters.control_socket import NobodyAnswers, ask
from trust_runtime.adapters.files.modes import require_private
from trust_runtime.app.addresses import discovery_addresses, mesh_addresses, require_free
from trust_runtime.app.projects import require_project, start_command
from trust_runtime.app.settings import LoadedSettings, load_settings
from trust_runtime.app.tls import require_tls
from trust_runtime.contracts.answers import ControlCall
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.fleet import Health
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.preconditions import remedy_of_key, unmet_preconditions

_DISK_BYTES_MIN: Final = 256 * 2**20
_PYTHON_MIN: Final = (3, 11)
_ASK_S: Final = 2.0


@unique
class Verdict(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Diagnosis(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at."""

    thing: str
    """What."""
    verdict: Verdict
    """How it is."""
    detail: str
    """What was found."""
    remedy: str | None = None
    """What to do; of what is ok only how to go on."""


def examine(folder: Path) -> tuple[Diagnosis, ...]:
    """Return everything that was looked at, in the order in which a start needs it."""
    return tuple(_examine(folder))


def _examine(folder: Path) -> Iterator[Diagnosis]:
    yield _python()
    loaded: LoadedSettings | None = None
    try:
        folder = require_project(folder)
        loaded = load_settings(folder, {})
    except StartRefused as refused:
        yield _wrong("configuration", refused.reason, refused.remedy)
        return
    settings = loaded.settings
    yield _well("configuration", f"{settings.runtime_id}, profile {settings.profile}")
    for warning in loaded.warnings:
        yield Diagnosis(
            thing="configuration",
            verdict=Verdict.WARNING,
            detail=warning,
            remedy="read what the key does in the reference",
        )
    yield _tried("file modes", "private files are private", lambda: require_private(folder))
    if settings.web.enabled and settings.web.tls:
        yield _tried(
            "certificate", "the pair for HTTPS is there", lambda: require_tls(folder, settings)
        )
    for key in unmet_preconditions(settings, None):
        yield _wrong("profile", f"{settings.profile} needs {key}", remedy_of_key(key))
    yield _writable(folder)
    yield _disk(folder)
    process = _process(settings)
    yield process or Diagnosis(
        thing="process",
        verdict=Verdict.OK,
        detail="does not run",
        remedy=f"start it: {start_command(folder)}",
    )
    if process is None:
        yield from _ports(settings)
    yield _interfaces(settings)


def _python() -> Diagnosis:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < _PYTHON_MIN:
        return _wrong("python", version, "use Python 3.11 or newer")
    return _well("python", version)


def _writable(folder: Path) -> Diagnosis:
    for place in (folder, folder / ".trust"):
        if place.exists() and not os.access(place, os.W_OK | os.X_OK):
            return _wrong("folder", f"{place} cannot be written", f"chown or chmod u+rwx {place}")
    return _well("folder", f"{folder} can be written")


def _disk(folder: Path) -> Diagnosis:
    free = shutil.disk_usage(folder).free
    detail = f"{free // 2**20} MiB free"
    if free < _DISK_BYTES_MIN:
        return Diagnosis(
            thing="disk",
            verdict=Verdict.WARNING,
            detail=detail,
            remedy="free the disk: without room for records every action is refused",
        )
    return _well("disk", detail)


def _process(settings: Settings) -> Diagnosis | None:
    """Return how the running process is, or None when none runs."""
    try:
        reply = ask(Path(settings.control_socket), ControlCall(id=1, type="health"), _ASK_S)
    except NobodyAnswers:
        return None
    except StartRefused as refused:
        if refused.exit_code is not ExitCode.TIMEOUT:
            return _wrong("process", refused.reason, refused.remedy)
        return _wrong(
            "process",
            f"is there but does not answer: {refused.reason}",
            "it is frozen or overloaded: look at its log, let it go on (kill -CONT) or restart it",
        )
    health = reply.result if isinstance(reply.result, dict) else {}
    said = health.get("health")
    if not reply.ok or said == Health.HEALTHY:
        return _well("process", "runs")
    reasons = "; ".join(str(reason) for reason in health.get("reasons", []))
    return Diagnosis(
        thing="process",
        verdict=Verdict.WARNING,
        detail=f"runs, but is {said}" + (f": {reasons}" if reasons else ""),
        remedy="see its log, and trust-runtime fleet status",
    )


def _ports(settings: Settings) -> Iterator[Diagnosis]:
    if settings.web.enabled:
        listen = settings.web.listen
        yield _tried("web", f"{listen} is free", lambda: require_free(listen, "runtime.web.listen"))
    for address in mesh_addresses(settings):
        yield _tried(
            "mesh",
            f"{address} is free",
            lambda address=address: require_free(address, "runtime.mesh.listen"),  # type: ignore[misc]  # bound now
        )


def _interfaces(settings: Settings) -> Diagnosis:
    addresses, missing = discovery_addresses(settings)
    if missing and settings.discovery.enabled:
        return Diagnosis(
            thing="discovery",
            verdict=Verdict.WARNING,
            detail=f"interfaces missing: {', '.join(missing)}",
            remedy="correct runtime.discovery.interfaces, or bring the interface up",
        )
    if not settings.discovery.enabled:
        return _well("discovery", "off; peers come from runtime.mesh.connect")
    return _well("discovery", f"mDNS on {', '.join(addresses)}")


def _tried(thing: str, detail: str, check: Callable[[], None]) -> Diagnosis:
    try:
        check()
    except StartRefused as refused:
        return _wrong(thing, refused.reason, refused.remedy)
    return _well(thing, detail)


def _well(thing: str, detail: str) -> Diagnosis:
    return Diagnosis(thing=thing, verdict=Verdict.OK, detail=detail)


def _wrong(thing: str, detail: str, remedy: str) -> Diagnosis:
    return Diagnosis(thing=thing, verdict=Verdict.ERROR, detail=detail, remedy=remedy)
