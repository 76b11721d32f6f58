"""`check_zenoh_baseline`: one Zenoh release everywhere (contract 1.5, 17.5)."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from trust_runtime.app.zenoh_version import live_zenoh_version
from trust_runtime.contracts.units import ZENOH_BASELINE
from trust_runtime.gates.cases import Bench, CaseFailed, Gate, PrerequisiteMissing

EXPECTED_NAME: Final = "ZENOH_BASELINE_VERSION"
EXCEPTION_NAME: Final = "ZENOH_BASELINE_EXCEPTION_FILE"
DEFAULT: Final = "1.7.2"
CASES: Final = (
    "installed_library",
    "live_session",
    "package_pin",
    "lock_file",
    "product_constant",
    "examples",
    "zenohd",
)
_PACKAGE: Final = "eclipse-zenoh"
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_ZENOHD_S: Final = 10


class Exemption(Struct, frozen=True, kw_only=True):
    """A version that may differ from the baseline, for a reason, until a day."""

    version: str
    """The version that is let through; no other is."""
    reason: str
    """Why; it is shown."""
    until: date
    """The last day on which it counts."""


class Sources(Struct, frozen=True, kw_only=True):
    """Where the versions are found."""

    root: Path
    """The checked-out tree."""
    expected: str = DEFAULT
    """What all of them must be."""
    exemption: Exemption | None = None
    """What may differ."""
    today: date
    """For the exemption."""
    installed: Callable[[], str] = partial(importlib.metadata.version, _PACKAGE)
    """Version of the installed distribution."""
    live: Callable[[], str] = live_zenoh_version
    """What a session of the loaded library says of itself."""
    constant: str = ZENOH_BASELINE
    """What the product believes."""
    zenohd: str | None = None
    """Program of a router; None: there is none here."""


def zenoh_baseline_gate() -> Gate:
    """Return the gate over the tree this module is in.

    Raises:
        PrerequisiteMissing: it is no checked-out tree, or a setting of the environment is bad.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file():
        raise PrerequisiteMissing(f"{root} is no checked-out tree of the project")
    expected = os.environ.get(EXPECTED_NAME) or DEFAULT
    if not _VERSION.fullmatch(expected):
        raise PrerequisiteMissing(f"{EXPECTED_NAME} is {expected!r}; allowed: X.Y.Z")
    name = os.environ.get(EXCEPTION_NAME)
    return baseline_gate(
        Sources(
            root=root,
            expected=expected,
            exemption=read_exemption(Path(name)) if name else None,
            today=datetime.now(UTC).date(),
            zenohd=shutil.which("zenohd"),
        )
    )


def baseline_gate(sources: Sources) -> Gate:
    """Return the gate over `sources`."""
    runs: Mapping[str, Callable[[Sources, Bench], None]] = {
        "installed_library": _installed,
        "live_session": _live,
        "package_pin": _pin,
        "lock_file": _lock,
        "product_constant": _constant,
        "examples": _examples,
        "zenohd": _zenohd,
    }
    return Gate(
        name="check_zenoh_baseline",
        expected=CASES,
        cases={name: partial(run, sources) for name, run in runs.items()},
    )


def read_exemption(path: Path) -> Exemption:
    """Return the exemption of a TOML file with `version`, `reason` and `until`.

    Raises:
        PrerequisiteMissing: it cannot be read, or one of the three is missing or bad.
    """
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PrerequisiteMissing(f"{EXCEPTION_NAME}: {path}: {error}") from error
    version, reason, until = (found.get(name) for name in ("version", "reason", "until"))
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise PrerequisiteMissing(f'{path}: version: allowed: "X.Y.Z"')
    if not (isinstance(reason, str) and reason.strip()):
        raise PrerequisiteMissing(f"{path}: reason: allowed: a text")
    if not isinstance(until, date) or isinstance(until, datetime):
        raise PrerequisiteMissing(f"{path}: until: allowed: a date, YYYY-MM-DD")
    return Exemption(version=version, reason=reason.strip(), until=until)


def _compare(sources: Sources, bench: Bench, *, what: str, found: str) -> None:
    bench.say(f"{what}: {found}; expected {sources.expected}")
    if found == sources.expected:
        return
    different = f"{what} is {found}, expected {sources.expected}"
    exemption = sources.exemption
    if exemption is None or exemption.version != found:
        raise CaseFailed(different)
    if exemption.until < sources.today:
        raise CaseFailed(f"{different}; its exemption ended on {exemption.until}")
    bench.warn(f"{different}; let through until {exemption.until}: {exemption.reason}")


def _installed(sources: Sources, bench: Bench) -> None:
    _compare(sources, bench, what=f"the installed {_PACKAGE}", found=sources.installed())


def _live(sources: Sources, bench: Bench) -> None:
    text = sources.live()
    bench.say(f"a live session says: {text}")
    version = _VERSION.search(text)
    bench.demand(version, f"a live session says {text!r}, which holds no version")
    _compare(
        sources, bench, what="the library of a live session", found=version[0] if version else text
    )


def _pin(sources: Sources, bench: Bench) -> None:
    project = _toml(sources.root / "pyproject.toml")["project"]
    pins = [one for one in project["dependencies"] if re.match(rf"{_PACKAGE}\b", one)]
    bench.demand(len(pins) == 1, f"pyproject.toml names {_PACKAGE} {len(pins)} times, not once")
    exact = re.fullmatch(rf"{_PACKAGE}\s*==\s*([0-9.]+)", pins[0])
    bench.demand(exact, f"pyproject.toml has {pins[0]!r}: no exact pin")
    _compare(sources, bench, what="the pin of pyproject.toml", found=exact[1] if exact else pins[0])


def _lock(sources: Sources, bench: Bench) -> None:
    path = sources.root / "uv.lock"
    bench.demand(path.is_file(), f"{path.name} is missing")
    entries = [one for one in _toml(path).get("package", ()) if "zenoh" in one["name"]]
    bench.demand(entries, f"{path.name} has no entry of zenoh")
    for entry in entries:
        _compare(
            sources,
            bench,
            what=f"{entry['name']} in {path.name}",
            found=entry.get("version", "none"),
        )


def _constant(sources: Sources, bench: Bench) -> None:
    _compare(sources, bench, what="ZENOH_BASELINE of the product", found=sources.constant)


def _examples(sources: Sources, bench: Bench) -> None:
    """Compare the routers and plugins that examples and tests are set up with."""
    for path in sorted((sources.root / "examples").rglob("*.toml")):
        mesh = _toml(path).get("runtime", {}).get("mesh", {})
        name = path.relative_to(sources.root)
        if "zenohd_version" in mesh:
            _compare(sources, bench, what=f"zenohd_version in {name}", found=mesh["zenohd_version"])
        for plugin, version in mesh.get("plugin_versions", {}).items():
            _compare(sources, bench, what=f"plugin {plugin} in {name}", found=version)


def _zenohd(sources: Sources, bench: Bench) -> None:
    if sources.zenohd is None:
        bench.say("there is no zenohd here")
        return
    ran = subprocess.run(
        [sources.zenohd, "--version"],
        capture_output=True,
        text=True,
        timeout=_ZENOHD_S,
        check=False,
    )
    version = _VERSION.search(ran.stdout)
    bench.demand(version, f"{sources.zenohd} --version says {ran.stdout.strip()!r}")
    _compare(sources, bench, what=sources.zenohd, found=version[0] if version else "")


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())
