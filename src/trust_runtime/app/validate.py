"""`validate`: check a project without starting anything (contract 3.3)."""

from pathlib import Path

from msgspec import Struct

from trust_runtime.adapters.files.modes import require_private
from trust_runtime.adapters.pki.identity import load_identity
from trust_runtime.app.addresses import discovery_addresses
from trust_runtime.app.projects import require_project
from trust_runtime.app.settings import ConfigInvalid, load_settings
from trust_runtime.app.tls import require_tls
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.settings import Settings


class ValidationReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `validate --json` prints."""

    version: int
    """Of this form: 1."""
    command: str
    """Always `validate`."""
    status: str
    """`ok` or `error`."""
    project: str
    """The folder."""
    resource: str | None = None
    """`resource.name`."""
    runtime_id: str | None = None
    """Canonical id."""
    site: str | None = None
    """Its site."""
    profile: str | None = None
    """Its profile."""
    control_endpoint: str | None = None
    """Where the control socket will be."""
    io_drivers: tuple[str, ...] = ()
    """Drivers of `io.toml`, in order."""
    warnings: tuple[str, ...]
    """What is accepted but unwise."""
    errors: tuple[SettingProblem, ...]
    """Everything that keeps the project from starting."""
    lines: tuple[str, ...] = ()
    """The errors as lines for people."""


def validate_project(folder: Path) -> ValidationReport:
    """Return what is wrong with a project, or how it would run; starts and changes nothing.

    Raises:
        StartRefused: there is no project at all; exit code 10.
    """
    folder = require_project(folder)
    try:
        loaded = load_settings(folder, {})
    except ConfigInvalid as invalid:
        errors, lines = _private_errors(folder, None)
        return ValidationReport(
            version=1,
            command="validate",
            status="error",
            project=str(folder),
            warnings=(),
            errors=(*invalid.problems, *errors),
            lines=(*invalid.lines, *lines),
        )
    settings = loaded.settings
    errors, lines = _private_errors(folder, settings)
    return ValidationReport(
        version=1,
        command="validate",
        status="error" if errors else "ok",
        project=str(folder),
        resource=settings.name,
        runtime_id=settings.runtime_id,
        site=settings.site,
        profile=settings.profile,
        control_endpoint=f"unix://{settings.control_socket}",
        io_drivers=loaded.io_drivers,
        warnings=(*loaded.warnings, *_missing_interfaces(settings)),
        errors=errors,
        lines=lines,
    )


def _private_errors(
    folder: Path, settings: Settings | None
) -> tuple[tuple[SettingProblem, ...], tuple[str, ...]]:
    """Return what is wrong with the private files: readable by others, or damaged."""
    try:
        require_private(folder)
        load_identity(folder)
        if settings is not None:
            require_tls(folder, settings)
    except StartRefused as refused:
        problem = SettingProblem(
            path="", value="nothing", allowed=refused.remedy, message=refused.reason
        )
        return (problem,), (f"{refused.reason}; {refused.remedy}",)
    return (), ()


def _missing_interfaces(settings: Settings) -> tuple[str, ...]:
    if not settings.discovery.enabled:
        return ()
    _, missing = discovery_addresses(settings)
    return tuple(
        f"missing_interface: runtime.discovery.interfaces names {name}, which is not there"
        for name in missing
    )
