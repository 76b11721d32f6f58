"""Creates what a project folder lacks, and never changes what is there (contract 3.2)."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from trust_runtime.adapters.files.templates import (
    CONFIG_ST,
    GITIGNORE,
    MAIN_ST,
    io_toml,
    runtime_toml,
)
from trust_runtime.contracts.errors import StartRefused
from trust_runtime.contracts.ids import ID_LENGTH_MAX, RESERVED_NAMES, is_id_part

_FALLBACK_NAME: Final = "runtime"
_OUTSIDE_GRAMMAR: Final = re.compile(r"[^A-Za-z0-9._-]")
_SOURCES: Final = frozenset({".st", ".ST", ".pou", ".POU"})
_PRIVATE_FOLDER: Final = 0o700


def project_name(folder: Path) -> str:
    """Return the runtime name a folder suggests: its own name, made to fit the id grammar."""
    named = folder.resolve() if folder.name in {"", ".."} else folder
    name = _OUTSIDE_GRAMMAR.sub("-", named.name)[:ID_LENGTH_MAX]
    return name if is_id_part(name) and name not in RESERVED_NAMES else _FALLBACK_NAME


class ProjectTemplate(Struct, frozen=True, kw_only=True):
    """What a new project is made of."""

    name: str
    """`resource.name`; fits the id grammar."""
    site: str | None = None
    """`runtime.cloud.site`; None: the default site."""
    cycle_ms: int = 100
    """`resource.cycle_interval_ms`."""
    driver: str = "loopback"
    """`io.driver`."""


def create_project(folder: Path, template: ProjectTemplate) -> tuple[Path, ...]:
    """Create `folder` and what it lacks of a project; return what was created.

    Each file is there whole or not at all; what exists under one of the names stays untouched,
    whatever it is. `runtime.toml` comes last: what has none is no project yet, and the next time
    goes on where this one was killed.

    Raises:
        StartRefused: `folder` is no folder, or cannot be written; naming the path. Nothing that was
            created is left.
    """
    made: list[Path] = []
    try:
        _refuse_file(folder)
        _create(folder, template, made)
    except StartRefused:
        remove_created(made)
        raise
    except OSError as error:
        remove_created(made)
        raise StartRefused(
            f"{error.filename} cannot be read: {error.strerror}",
            f"make {folder} a folder that this user owns",
        ) from error
    return tuple(made)


def _refuse_file(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise StartRefused(
            f"{folder} is a file, not a project folder", "give a folder, or a name that is free"
        )


def remove_created(made: Iterable[Path]) -> None:
    """Remove files and empty folders that were just created, the last one first."""
    for path in reversed(tuple(made)):
        with suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()


def _create(folder: Path, template: ProjectTemplate, made: list[Path]) -> None:
    """Create what is missing, and add each path to `made` as soon as it is there."""
    _make_folder(folder, made)
    sources = folder / "src"
    files = {folder / "io.toml": io_toml(template.driver)}
    if not _has_source(sources):
        files |= {sources / "main.st": MAIN_ST, sources / "config.st": CONFIG_ST}
    files[folder / ".gitignore"] = GITIGNORE
    for path, text in files.items():
        _make_folder(path.parent, made)
        _make_file(path, text.encode(), made)
    _make_folder(folder / ".trust", made, mode=_PRIVATE_FOLDER)
    configuration = runtime_toml(template.name, site=template.site, cycle_ms=template.cycle_ms)
    _make_file(folder / "runtime.toml", configuration.encode(), made)


def _has_source(sources: Path) -> bool:
    return any(
        Path(name).suffix in _SOURCES
        for _, _, names in os.walk(sources, onerror=_fail)
        for name in names
    )


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _make_folder(folder: Path, made: list[Path], *, mode: int = 0o777) -> None:
    """Make a folder and those above it, unless it is there."""
    if folder.is_dir():
        return
    _make_folder(folder.parent, made)
    try:
        folder.mkdir(mode=mode, exist_ok=True)
        made.append(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise _refusal(folder, error) from error


def _make_file(path: Path, content: bytes, made: list[Path]) -> None:
    """Put a new file on the disk whole, unless something has its name already."""
    if os.path.lexists(path):
        return
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)  # Left by a crash of an earlier process of this number.
        try:
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Unlike a rename, a link never replaces what somebody put there meanwhile.
            path.hardlink_to(fresh)
            made.append(path)
        finally:
            fresh.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise _refusal(path, error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)  # The new name itself must survive a power loss.
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> StartRefused:
    return StartRefused(
        f"{path} cannot be created: {error.strerror}",
        f"make {path.parent} a folder that this user can write, with room on its disk",
    )
