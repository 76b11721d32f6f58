"""The command line of the gates: 0 pass, 1 fail, 2 usage or something missing (17)."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from trust_runtime.gates.cases import Gate, PrerequisiteMissing
from trust_runtime.gates.report import Result
from trust_runtime.gates.runner import run_gate
from trust_runtime.gates.security.gate import security_profile_gate
from trust_runtime.gates.zenoh_baseline import zenoh_baseline_gate

_PASS: Final = 0
_FAIL: Final = 1
_USAGE: Final = 2

GATES: Final[Mapping[str, Callable[[], Gate]]] = {
    "check_zenoh_baseline": zenoh_baseline_gate,
    "runtime_cloud_security_profile_gate": security_profile_gate,
}
"""Name -> the gate of this tree; raises `PrerequisiteMissing` where it cannot run."""


def main(arguments: Sequence[str], gates: Mapping[str, Callable[[], Gate]] = GATES) -> int:
    """Run what the command line asks for and return the exit code."""
    try:
        asked = _parser(gates).parse_args(arguments)
    except SystemExit as ended:  # argparse: 0 after --help, 2 for a bad line.
        return ended.code if isinstance(ended.code, int) else _USAGE
    try:
        gate = gates[asked.gate]()
    except PrerequisiteMissing as missing:
        _err(f"{asked.gate}: {missing}")
        return _USAGE
    if asked.list:
        for name in gate.expected:
            _say(name)
        return _PASS
    unknown = [name for name in asked.case if name not in gate.expected]
    if unknown:
        _err(f"{gate.name} has no case {', '.join(unknown)}; --list names them")
        return _USAGE
    folder = Path(os.environ.get("OUT_DIR") or f"target/gate-artifacts/{gate.name}")
    try:
        summary = run_gate(gate, folder, names=asked.case, tell=_say)
    except OSError as error:
        _err(f"{gate.name}: {folder} cannot be written: {error.strerror}")
        return _USAGE
    _say(f"{gate.name}: {summary.result}, see {folder / 'summary.json'}")
    return (
        _PASS
        if all(one.result is Result.PASS for one in summary.cases) and summary.cases_run
        else _FAIL
    )


def _parser(gates: Mapping[str, object]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m trust_runtime.gates",
        description="Run a gate; artifacts go to OUT_DIR (target/gate-artifacts/GATE).",
    )
    parser.add_argument("gate", choices=sorted(gates), metavar="GATE", help=", ".join(gates))
    parser.add_argument("--list", action="store_true", help="print the cases and run none")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="NAME",
        help="run only this one (repeatable); never a full pass",
    )
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _err(text: str) -> None:
    sys.stderr.write(f"{text}\n")
