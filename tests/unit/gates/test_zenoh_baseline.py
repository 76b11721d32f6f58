"""`gates.zenoh_baseline`: each comparison turns red by itself."""

import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from trust_runtime.contracts.units import ZENOH_BASELINE
from trust_runtime.gates.cases import PrerequisiteMissing
from trust_runtime.gates.report import Result, Summary
from trust_runtime.gates.runner import run_gate
from trust_runtime.gates.zenoh_baseline import (
    CASES,
    DEFAULT,
    Exemption,
    Sources,
    baseline_gate,
    read_exemption,
    zenoh_baseline_gate,
)

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 11, 25)
OTHER = "1.7.3"
PROJECT = '[project]\ndependencies = ["click>=8", "eclipse-zenoh=={}"]\n'
LOCK = (
    '[[package]]\nname = "click"\nversion = "8.5.0"\n'
    '[[package]]\nname = "eclipse-zenoh"\nversion = "{}"\n'
)
EXAMPLE = '[runtime.mesh]\nzenohd_version = "{}"\nplugin_versions = {{ rest = "{}" }}\n'


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    root = tmp_path / "tree"
    (root / "examples" / "pack").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PROJECT.format(DEFAULT))
    (root / "uv.lock").write_text(LOCK.format(DEFAULT))
    (root / "examples/pack/a.toml").write_text(EXAMPLE.format(DEFAULT, DEFAULT))
    (root / "examples/pack/b.toml").write_text("bundle.version = 1\n")
    return Sources(
        root=root,
        today=TODAY,
        installed=lambda: DEFAULT,
        live=lambda: f"v{DEFAULT}-790faad built with rustc 1.85.0",
        zenohd=str(router(tmp_path, DEFAULT)),
    )


def router(folder: Path, version: str) -> Path:
    """Return a program that says it is zenohd of that version."""
    program = folder / f"zenohd-{version}"
    program.write_text(f"#!/bin/sh\necho zenohd v{version}\n")
    program.chmod(0o700)
    return program


def run(sources: Sources) -> Summary:
    gate = baseline_gate(sources)
    return run_gate(gate, sources.root / "out", tell=lambda _: None)


def failed(sources: Sources) -> dict[str, str | None]:
    return {one.name: one.reason for one in run(sources).cases if one.result is Result.FAIL}


def test_all_at_the_baseline_pass(sources: Sources) -> None:
    summary = run(sources)
    assert (summary.result, summary.cases_passed) == (Result.PASS, len(CASES))


def spoil(sources: Sources, what: str) -> Sources:
    """Return sources of which one, and no other, is of another release."""
    root = sources.root
    changes: dict[str, Any] = {}
    if what == "installed_library":
        changes["installed"] = lambda: OTHER
    elif what == "live_session":
        changes["live"] = lambda: f"v{OTHER}-790faad built with rustc 1.85.0"
    elif what == "package_pin":
        (root / "pyproject.toml").write_text(PROJECT.format(OTHER))
    elif what == "lock_file":
        more = LOCK.format(DEFAULT) + f'[[package]]\nname = "zenoh-cli"\nversion = "{OTHER}"\n'
        (root / "uv.lock").write_text(more)
    elif what == "product_constant":
        changes["constant"] = OTHER
    elif what == "examples":
        (root / "examples/pack/a.toml").write_text(EXAMPLE.format(DEFAULT, OTHER))
    else:
        changes["zenohd"] = str(router(root.parent, OTHER))
    return structs.replace(sources, **changes)


@pytest.mark.parametrize("what", CASES)
def test_each_comparison_turns_red_by_itself(sources: Sources, what: str) -> None:
    found = failed(spoil(sources, what))
    assert list(found) == [what]
    assert OTHER in (found[what] or "")
    assert DEFAULT in (found[what] or "")


def test_another_baseline_turns_all_of_them_red(sources: Sources) -> None:
    assert set(failed(structs.replace(sources, expected="1.8.0"))) == set(CASES)


def test_a_missing_lock_file_fails(sources: Sources) -> None:
    (sources.root / "uv.lock").unlink()
    assert failed(sources) == {"lock_file": "uv.lock is missing"}


def test_a_lock_file_without_zenoh_fails(sources: Sources) -> None:
    (sources.root / "uv.lock").write_text('[[package]]\nname = "click"\nversion = "8"\n')
    assert list(failed(sources)) == ["lock_file"]


@pytest.mark.parametrize("pin", ["eclipse-zenoh>=1.7.2", "eclipse-zenoh", "zenoh==1.7.2"])
def test_a_pin_that_is_not_exact_fails(sources: Sources, pin: str) -> None:
    text = f'[project]\ndependencies = ["{pin}"]\n'
    (sources.root / "pyproject.toml").write_text(text)
    assert list(failed(sources)) == ["package_pin"]


def test_a_session_that_says_nothing_fails(sources: Sources) -> None:
    assert list(failed(structs.replace(sources, live=lambda: "unknown"))) == ["live_session"]


def test_no_router_here_is_no_failure(sources: Sources) -> None:
    assert failed(structs.replace(sources, zenohd=None)) == {}


EXEMPTION = Exemption(version=OTHER, reason="a fix we need", until=TODAY)


@pytest.mark.parametrize("what", CASES)
def test_an_exemption_lets_its_version_through_and_is_shown(sources: Sources, what: str) -> None:
    summary = run(structs.replace(spoil(sources, what), exemption=EXEMPTION))
    assert summary.result is Result.PASS
    (shown,) = [one for one in summary.cases if one.reason]
    assert shown.name == what
    assert "a fix we need" in (shown.reason or "")
    assert str(TODAY) in (shown.reason or "")


@pytest.mark.parametrize(
    "exemption",
    [
        structs.replace(EXEMPTION, until=date(2026, 11, 24)),
        structs.replace(EXEMPTION, version="1.7.4"),
    ],
)
def test_an_exemption_of_yesterday_or_of_another_version_helps_nobody(
    sources: Sources, exemption: Exemption
) -> None:
    spoilt = structs.replace(spoil(sources, "installed_library"), exemption=exemption)
    assert list(failed(spoilt)) == ["installed_library"]


def test_an_exemption_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "exemption.toml"
    path.write_text(f'version = "{OTHER}"\nreason = " a fix we need "\nuntil = 2026-11-25\n')
    assert read_exemption(path) == EXEMPTION


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = ",
        'reason = "r"\nuntil = 2026-11-25\n',
        f'version = "{OTHER}"\nuntil = 2026-11-25\n',
        f'version = "{OTHER}"\nreason = " "\nuntil = 2026-11-25\n',
        f'version = "{OTHER}"\nreason = "r"\n',
        f'version = "{OTHER}"\nreason = "r"\nuntil = "2026-11-25"\n',
        f'version = "{OTHER}"\nreason = "r"\nuntil = 2026-11-25T00:00:00\n',
        'version = "any"\nreason = "r"\nuntil = 2026-11-25\n',
    ],
)
def test_an_exemption_that_names_not_all_three_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "exemption.toml"
    path.write_text(text)
    with pytest.raises(PrerequisiteMissing):
        read_exemption(path)


def test_a_missing_exemption_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZENOH_BASELINE_EXCEPTION_FILE", str(tmp_path / "none"))
    with pytest.raises(PrerequisiteMissing, match="none"):
        zenoh_baseline_gate()


def test_a_bad_expected_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENOH_BASELINE_VERSION", "1.7")
    with pytest.raises(PrerequisiteMissing, match=r"X\.Y\.Z"):
        zenoh_baseline_gate()


def test_the_default_is_what_the_product_believes() -> None:
    assert DEFAULT == ZENOH_BASELINE


def test_the_script_passes_on_this_tree(tmp_path: Path) -> None:
    ran = subprocess.run(
        [ROOT / "scripts" / "check_zenoh_baseline.sh"],
        env={"PATH": "/usr/bin:/bin", "OUT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "summary.json").is_file()
