"""Run the writer: alone, killed at some moment, or under strace, which records or breaks things."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from crash.checking import Lived
from crash.mixture import Life, Told

_ENDS_WITHIN_S: Final = 90.0
_TESTS: Final = Path(__file__).parents[1]
_ENVIRONMENT: Final = {"PYTHONPATH": f"{_TESTS.parent / 'src'}:{_TESTS}"}
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")

GROUPS: Final = {
    "write": ("pwrite64", "pwritev"),
    "sync": ("fsync", "fdatasync"),
    "size": ("ftruncate", "fallocate"),
    "name": (
        *("open", "openat", "rename", "renameat", "renameat2"),
        *("unlink", "unlinkat", "chmod", "fchmodat"),
    ),
    "read": ("read", "pread64"),
}
"""System calls by what they do; not every machine has all of them."""

GROUP_OF: Final = {call: group for group, calls in GROUPS.items() for call in calls}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the writer runs."""

    life: Life
    checkpoint_writes: int = 0
    """After so many writes the journal is brought into the file; 0: as in the product."""
    synchronous: str = "FULL"
    leave: bool = False
    """Whether it ends without closing the file."""
    early: bool = False
    """A planted fault: it answers before it writes."""
    ballast: Path | None = None
    """A file that it removes when the disk is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens at the n-th system call of that name."""

    call: str
    what: str
    """`kill`, `EIO` or `ENOSPC`."""
    nth: int

    @property
    def group(self) -> str:
        return GROUP_OF[self.call]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A life with a fault."""

    lived: Lived
    came: bool
    """Whether the fault came."""
    unheard: bool
    """Whether SQLite does not ask what became of the call: it syncs the folder of a new journal
    so. The store therefore syncs the folder itself before it answers anybody."""


@cache
def why_no_strace() -> str | None:
    """Return why system calls cannot be traced here, or None when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    tried = subprocess.run(
        [*_strace(), "-f", "--seccomp-bpf", "-o", "/dev/null", sys.executable, "-c", ""],
        check=False,
        capture_output=True,
        timeout=_ENDS_WITHIN_S,
    )
    return None if tried.returncode == 0 else f"strace may not trace: {tried.stderr!r}"


def run_life(
    path: Path, setting: Setting, *, under: Sequence[str] = (), told: Path | None = None
) -> tuple[Lived, int]:
    """Let the writer live; return what it told, into a file `told`, and its exit code.

    Raises:
        RuntimeError: it failed by itself, which is a fault of this programme or of the store.
    """
    path.parent.mkdir(exist_ok=True)
    told = told or told_file(path)
    with (
        told.open("wb") as lines,
        subprocess.Popen(
            [*under, *_command(path, setting)],
            stdout=lines,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
        ) as process,
    ):
        try:
            _, problem = process.communicate(timeout=_ENDS_WITHIN_S)
        finally:
            process.kill()
    if process.returncode > 0 and b"Traceback" in problem:
        raise RuntimeError(problem.decode())
    return _lived(setting, told.read_bytes()), process.returncode


def kill_after(path: Path, setting: Setting, lines: int) -> Lived:
    """Let the writer tell so many lines, and kill it."""
    with subprocess.Popen(
        _command(path, setting), stdout=subprocess.PIPE, env=_ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        try:
            told = [process.stdout.readline() for _ in range(lines)]
        finally:
            process.kill()
        told += process.stdout.readlines()
    return _lived(setting, b"".join(told))


def record_life(path: Path, setting: Setting, trace: Path) -> Lived:
    """Let the writer live, and write every call on the state file and every line into `trace`."""
    calls = ",".join(f"?{call}" for call in (*GROUP_OF, "close", "write"))
    under = [*_strace(), *_watched(path), "-P", str(told_file(path)), "-xx", "-s", "99999"]
    under += ["-f", "--seccomp-bpf", "-qq", "-o", str(trace), "-e", f"trace={calls}"]
    lived, code = run_life(path, setting, under=under)
    if code != 0 or lived.told[-1].event not in {"done", "closing"}:
        raise RuntimeError(f"a life without faults ended with {code}: {lived.told[-1:]}")
    return lived


def break_life(path: Path, setting: Setting, fault: Fault, log: Path) -> Broken:
    """Let the writer live with a fault."""
    harm = "signal=SIGKILL" if fault.what == "kill" else f"error={fault.what}"
    # Without --seccomp-bpf, under which strace 6.1 injects no signals.
    under = [*_strace(), *_watched(path), "-f", "-y", "-qq", "-o", str(log)]
    # One name at a time: strace counts each by itself.
    under += ["-e", f"trace={fault.call}", "-e", f"inject={fault.call}:{harm}:when={fault.nth}"]
    lived, code = run_life(path, setting, under=under)
    if fault.what == "kill":
        return Broken(lived=lived, came=code != 0, unheard=False)
    lines = log.read_text("utf-8", "replace").splitlines()
    struck = "".join(line for line in lines if "(INJECTED)" in line)
    unheard = f"fdatasync({struck.partition('(')[2].partition('<')[0]}<{path.parent}>)" in struck
    return Broken(lived=lived, came=bool(struck), unheard=unheard)


def told_file(path: Path) -> Path:
    """Return where the writer's lines go: beside the folder of the state file, not into it."""
    return path.parent.with_name(f"{path.parent.name}.told")


def _strace() -> list[str]:
    return [shutil.which("strace") or "strace"]


def _watched(path: Path) -> list[str]:
    names = [path.name + end for end in _SUFFIXES]
    names += [f"{path.name}.new{end}" for end in _SUFFIXES]
    paths = [path.parent, *(path.with_name(name) for name in names)]
    return [word for one in paths for word in ("-P", str(one))]


def _command(path: Path, setting: Setting) -> list[str]:
    life = setting.life
    numbers = (life.seed, life.first, life.calls, life.lanes, setting.checkpoint_writes)
    command = [sys.executable, "-m", "crash.writer_process", str(path), *map(str, numbers)]
    command += ["--synchronous", setting.synchronous]
    if setting.leave:
        command.append("--leave")
    if setting.early:
        command.append("--early")
    if setting.ballast is not None:
        command += ["--ballast", str(setting.ballast)]
    return command


def _lived(setting: Setting, lines: bytes) -> Lived:
    # A kill may cut the last line; what was cut was not told.
    whole = lines.split(b"\n")[:-1]
    told = tuple(msgspec.json.decode(line, type=Told) for line in whole)
    return Lived(life=setting.life, told=told)
