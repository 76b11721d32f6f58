"""`./install`: what it leaves in HOME, what it refuses, and the demo's end."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
COMMAND = ROOT / ".venv/bin/trust-runtime"


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "TMPDIR": str(home)}


def _install(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "install"],
        cwd=home,
        env=_environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_links_the_command_from_any_folder_and_twice(tmp_path: Path) -> None:
    first = _install(tmp_path)
    second = _install(tmp_path)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (tmp_path / ".local/bin/trust-runtime").readlink() == COMMAND
    assert 'export PATH="$HOME/.local/bin:$PATH"' in first.stdout


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_foreign_file_is_refused_and_kept(tmp_path: Path, kind: str) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    link = tmp_path / ".local/bin/trust-runtime"
    link.parent.mkdir(parents=True)
    if kind == "file":
        link.write_text("mine")
    else:
        link.symlink_to(mine)

    refused = _install(tmp_path)

    assert refused.returncode == 1
    assert f"{link} exists and is not ours" in refused.stderr
    assert link.read_text() == "mine"


def test_the_link_of_a_checkout_that_is_gone_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / ".local/bin/trust-runtime"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "gone/.venv/bin/trust-runtime")

    assert _install(tmp_path).returncode == 0
    assert link.readlink() == COMMAND


def test_the_demo_runs_until_interrupted_and_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [ROOT / "install", "--demo"],
            env=_environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        up = wait_until(
            lambda: demo.poll() is not None or "Two runtimes are up" in log.read_text(),
            within_s=60,
        )
        assert up
        assert demo.poll() is None, log.read_text()
        demo.send_signal(signal.SIGINT)
        assert wait_until(lambda: demo.poll() is not None, within_s=20), log.read_text()
    finally:
        demo.terminate()
        demo.wait()
    assert demo.returncode == 0, log.read_text()
    assert not list(tmp_path.glob("trust-cloud-demo.*"))
    assert not _holders(tmp_path)


def _holders(home: Path) -> list[str]:
    """Return the processes that still run with this HOME."""
    mark = f"HOME={home}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environ.read_bytes().split(b"\0"):
                found.append(environ.parent.name)
        except OSError:
            continue  # It ended, or it is not ours.
    return found
