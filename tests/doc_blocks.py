"""Run the commands of a document as its reader would type them.

Every fenced ```bash block runs with `bash -euo pipefail`, one after the other, in one HOME. What
the reader does besides typing stands in comments that Markdown does not show:

    <!-- run: until ready, then interrupt -->   before a block: Ctrl+C once it has printed `ready`
    <!-- run: in background until the end -->   before a block: a terminal of its own
    <!-- run: until the expectations hold -->   before a block: a look that may come too early
    <!-- expect: JQ-EXPRESSION -->              after a block: true of what it printed
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from waiting import wait_until

READY_S_MAX: Final = 30
STOP_S_MAX: Final = 10
BLOCK_S_MAX: Final = 120
HOLD_S_MAX: Final = 20

INTERRUPT: Final = "until ready, then interrupt"
BACKGROUND: Final = "in background until the end"
RETRY: Final = "until the expectations hold"
RUNS: Final = frozenset({"", INTERRUPT, BACKGROUND, RETRY})

_COMMENT: Final = re.compile(r"<!--\s*(run|expect):\s*(.*?)\s*-->")


class DocumentFailed(Exception):
    """A document does not do what it says; the text names the line and shows the output."""


@dataclass(kw_only=True)
class Block:
    """One fenced block of commands."""

    line: int
    script: str
    run: str
    expects: list[str] = field(default_factory=list)


def parse_blocks(text: str) -> list[Block]:
    """Return the bash blocks of a document, in order.

    Raises:
        DocumentFailed: a comment that belongs to no block, or that says something unknown.
    """
    blocks: list[Block] = []
    pending = ""  # The `run` comment that waits for its block.
    last: Block | None = None  # The block to which `expect` comments still belong.
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        comment = _COMMENT.fullmatch(line.strip())
        if line.startswith("```"):
            script = "\n".join(_fenced(lines))
            last = None
            if line.strip() == "```bash":
                last = Block(line=number, script=script, run=pending)
                blocks.append(last)
                pending = ""
        elif comment and comment[1] == "expect" and last is not None:
            last.expects.append(comment[2])
        elif comment and comment[1] == "run" and not pending and comment[2] in RUNS:
            pending = comment[2]
        elif comment or (line.strip() and pending):
            raise DocumentFailed(f"line {number}: belongs to no bash block: {line.strip()}")
        elif line.strip():
            last = None
    if pending:
        raise DocumentFailed(f"the last run comment has no block: {pending}")
    return blocks


def _fenced(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    """Yield the lines up to the closing fence, and take that too."""
    for _, line in lines:
        if line.startswith("```"):
            return
        yield line
    raise DocumentFailed("the last fence is not closed")


class Reader:
    """Somebody with a fresh HOME who follows a document; everything started ends with `with`."""

    def __init__(self, *, cwd: Path, home: Path, path: str) -> None:
        self._cwd = cwd
        self._env = {**os.environ, "HOME": str(home), "PATH": path}
        self._background: list[_Shell] = []
        self._logs = tempfile.TemporaryDirectory()
        self._shells = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        codes = [shell.interrupt() for shell in self._background]
        said = "\n".join(shell.output() for shell in self._background)
        self._logs.cleanup()
        if error is None and any(codes):
            raise DocumentFailed(f"background blocks ended with {codes}, not 0:\n{said}")

    def follow(self, text: str) -> None:
        """Run every block of the document.

        Raises:
            DocumentFailed: at the first block that does not do what the document says.
        """
        for block in parse_blocks(text):
            problem = self._run(block)
            if problem:
                raise DocumentFailed(f"line {block.line}: {problem}")
            for shell in self._background:
                if shell.ended():
                    raise DocumentFailed(f"line {block.line}: ended early:\n{shell.output()}")

    def _run(self, block: Block) -> str:
        """Run one block and return what went wrong, or nothing."""
        if block.run in {INTERRUPT, BACKGROUND}:
            return self._run_until_ready(block)
        problem = ""

        def holds() -> bool:
            nonlocal problem
            problem = self._run_once(block)
            return not problem

        wait_until(holds, within_s=HOLD_S_MAX if block.run == RETRY else 0)
        return problem

    def _shell(self, script: str) -> "_Shell":
        self._shells += 1
        log = Path(self._logs.name) / str(self._shells)
        return _Shell(script, log, cwd=self._cwd, env=self._env)

    def _run_until_ready(self, block: Block) -> str:
        shell = self._shell(block.script)
        self._background.append(shell)
        ready = wait_until(lambda: shell.is_ready() or shell.ended(), within_s=READY_S_MAX)
        if not ready or not shell.is_ready():
            return f"was not ready within {READY_S_MAX} s:\n{shell.output()}"
        if block.run == BACKGROUND:
            return ""
        self._background.remove(shell)
        code = shell.interrupt()
        return f"ended with {code} after Ctrl+C:\n{shell.output()}" if code else ""

    def _run_once(self, block: Block) -> str:
        shell = self._shell(block.script)
        if not wait_until(shell.ended, within_s=BLOCK_S_MAX):
            shell.interrupt()
            return f"did not end within {BLOCK_S_MAX} s:\n{shell.output()}"
        code = shell.interrupt()
        if code:
            return f"ended with {code}:\n{shell.output()}"
        return "\n".join(filter(None, (self._unmet(it, shell) for it in block.expects)))

    def _unmet(self, expression: str, shell: "_Shell") -> str:
        judged = subprocess.run(
            ["jq", "--exit-status", expression],  # noqa: S607 - the documents need jq on the PATH too
            input=shell.stdout(),
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        if judged.returncode == 0:
            return ""
        return f"expected {expression}; {judged.stderr}\n{shell.output()}"


class _Shell:
    """One bash in a session of its own, so that all it starts can be ended."""

    def __init__(self, script: str, log: Path, *, cwd: Path, env: Mapping[str, str]) -> None:
        self._log = log
        self._errors = log.with_suffix(".stderr")
        with log.open("wb") as stdout, self._errors.open("wb") as stderr:
            self._process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - bash is where PATH says
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def output(self) -> str:
        """Return all that was printed so far, what went wrong last."""
        return self.stdout() + self._errors.read_text("utf-8", "replace")

    def stdout(self) -> str:
        """Return what a pipe would have seen so far."""
        return self._log.read_text("utf-8", "replace")

    def is_ready(self) -> bool:
        """Tell whether a line `ready` was printed."""
        return "ready" in self.stdout().splitlines()

    def ended(self) -> bool:
        """Tell whether bash itself has ended."""
        return self._process.poll() is not None

    def interrupt(self) -> int:
        """Press Ctrl+C unless it has ended, kill what remains, and return bash's exit code."""
        if not self.ended():
            self._signal(signal.SIGINT)
            wait_until(self.ended, within_s=STOP_S_MAX)
        self._signal(signal.SIGKILL)
        return self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
