"""Reads `runtime.toml` and `io.toml` and reports all their errors at once (contract 4.3)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, structs

from trust_runtime.adapters.files.toml_lines import TomlFault, TomlFile, key_lines, read_toml
from trust_runtime.app.projects import start_command
from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.errors import ExitCode, StartRefused
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values
from trust_runtime.core.config.io import IoSettings, check_io
from trust_runtime.core.config.keys import key_of_path
from trust_runtime.core.config.patch import overlay
from trust_runtime.core.config.toml_values import values_of
from trust_runtime.core.config.warnings import warnings_of

RUNTIME_FILE: Final = "runtime.toml"
IO_FILE: Final = "io.toml"
_MISSING: Final = "is missing"
SYSTEM_IO_FILE: Final = Path("/etc/trust/io.toml")
"""Used when the project has no `io.toml` of its own (3.1)."""


class LoadedSettings(Struct, frozen=True, kw_only=True):
    """A valid configuration."""

    settings: Settings
    """File and desired document together."""

    file_values: dict[str, Any]
    """TOML path to value, as `runtime.toml` alone has them."""

    io_drivers: tuple[str, ...]
    """Drivers of `io.toml`, in order."""

    warnings: tuple[str, ...]
    """What is accepted but unwise."""


class ConfigInvalid(StartRefused):
    """The configuration has errors; exit code 10.

    Args:
        folder: the project.
        problems: all of them.
    """

    def __init__(self, folder: Path, problems: tuple[SettingProblem, ...]) -> None:
        self.problems = problems
        self.lines = tuple(problem_line(problem) for problem in problems)
        super().__init__(
            "\n".join(("the configuration is not valid", *self.lines)),
            _remedy(folder, problems),
            ExitCode.CONFIG,
        )


def load_settings(folder: Path, document: Mapping[str, Any]) -> LoadedSettings:
    """Return the configuration of a project with a desired document laid over it.

    Raises:
        ConfigInvalid: with every error of every file.
    """
    runtime = _read(folder / RUNTIME_FILE, RUNTIME_FILE)
    io = _read_io(folder)
    settings, file_values = _check_runtime(runtime, document)
    drivers = _check_io(io)
    found = (*_problems(settings), *_problems(drivers))
    if found or not isinstance(settings, Settings) or not isinstance(drivers, IoSettings):
        raise ConfigInvalid(folder, tuple(sorted(found, key=_place)))
    return LoadedSettings(
        settings=settings,
        file_values=file_values,
        io_drivers=drivers.drivers,
        warnings=warnings_of(settings),
    )


def load_runtime_settings(folder: Path) -> Settings:
    """Return what `runtime.toml` alone says, for commands that do without inputs and outputs.

    Raises:
        ConfigInvalid: with every error of that file.
    """
    settings, _ = _check_runtime(_read(folder / RUNTIME_FILE, RUNTIME_FILE), {})
    if isinstance(settings, Settings):
        return settings
    raise ConfigInvalid(folder, tuple(sorted(settings, key=_place)))


def problem_line(problem: SettingProblem) -> str:
    """Return one error as `FILE:LINE: KEY: got VALUE; allowed: RULE`."""
    more = "" if problem.message is None else f"; {problem.message}"
    what = f"got {problem.value}; allowed: {problem.allowed}{more}"
    if problem.file is None:
        return f"desired configuration: {key_of_path(problem.path)}: {what}"
    where = f"{problem.file}:{problem.line}"
    if not problem.path:
        return f"{where}:{problem.column}: {problem.message}"
    return f"{where}: {problem.path}: {what}"


class _Read(Struct, frozen=True, kw_only=True):
    """One file as it was found."""

    name: str
    content: TomlFile | TomlFault


def _read(path: Path, name: str) -> _Read:
    found = read_toml(path)
    return _Read(name=name, content=TomlFault(reason=_MISSING) if found is None else found)


def _read_io(folder: Path) -> _Read:
    own = _read(folder / IO_FILE, IO_FILE)
    if not (folder / IO_FILE).exists() and SYSTEM_IO_FILE.exists():
        return _read(SYSTEM_IO_FILE, str(SYSTEM_IO_FILE))
    return own


def _check_runtime(
    read: _Read, document: Mapping[str, Any]
) -> tuple[Settings | tuple[SettingProblem, ...], dict[str, Any]]:
    if isinstance(read.content, TomlFault):
        return (_fault(read.name, read.content),), {}
    file_values = values_of(read.content.values)
    values = overlay(file_values, document)
    checked = check_values(values)
    if isinstance(checked, Settings):
        return checked, file_values
    desired = overlay({}, document)
    placed = _placed(read.name, read.content, checked)
    return tuple(
        bare if _key_path(bare.path) in desired else in_file
        for bare, in_file in zip(checked, placed, strict=True)
    ), file_values


def _check_io(read: _Read) -> IoSettings | tuple[SettingProblem, ...]:
    if isinstance(read.content, TomlFault):
        return (_fault(read.name, read.content),)
    checked = check_io(read.content.values)
    if isinstance(checked, IoSettings):
        return checked
    return tuple(_placed(read.name, read.content, checked))


def _placed(
    name: str, file: TomlFile, problems: tuple[SettingProblem, ...]
) -> Iterator[SettingProblem]:
    """Yield the problems with file and line; a missing key is placed where its table begins."""
    lines = key_lines(file.text)
    for problem in problems:
        path = problem.path
        while path and path not in lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        yield structs.replace(problem, file=name, line=lines.get(path, 1))


def _fault(name: str, fault: TomlFault) -> SettingProblem:
    return SettingProblem(
        path="",
        value="nothing",
        allowed="a TOML file",
        message=fault.reason,
        file=name,
        line=fault.line,
        column=fault.column,
    )


def _problems(checked: object) -> tuple[SettingProblem, ...]:
    return checked if isinstance(checked, tuple) else ()


def _key_path(path: str) -> str:
    return path.partition("[")[0]


def _place(problem: SettingProblem) -> tuple[bool, str, int, str]:
    in_io = problem.file not in (None, RUNTIME_FILE)
    return in_io, problem.file or "", problem.line or 0, problem.path


def _remedy(folder: Path, problems: tuple[SettingProblem, ...]) -> str:
    if all(problem.file is None for problem in problems):
        return "start with --ignore-desired and correct the desired configuration"
    if all(problem.message == _MISSING for problem in problems):
        return f"create what is missing with: {start_command(folder)}"
    return f"correct these, then check with: trust-runtime validate --project {folder}"
