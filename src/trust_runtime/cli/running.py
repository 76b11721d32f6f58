"""How the faults of a command become exit codes (contract 3.5)."""

import errno
import sys
import traceback
from typing import Any, Final, NoReturn

import click

from trust_runtime.cli.commands import cli
from trust_runtime.cli.interrupts import INTERRUPTED
from trust_runtime.contracts.errors import (
    ContractViolation,
    ExitCode,
    NoAnswer,
    Refused,
    StartRefused,
    StoreFailed,
)

_SHOWN_MAX: Final = 80
_UTF_8: Final = "use a UTF-8 locale, for example LC_ALL=C.UTF-8"


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code; no fault ends in a traceback."""
    verbose = "--verbose" in (sys.argv[1:] if arguments is None else arguments)
    try:
        result: Any = cli.main(args=arguments, prog_name="trust-runtime", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else ExitCode.OK)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except click.Abort as abort:
        # click says this of Ctrl+C, and of the end of the input at a prompt (Ctrl+D).
        interrupted = isinstance(abort.__context__, KeyboardInterrupt)
        sys.exit(INTERRUPTED if interrupted else ExitCode.ERROR)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except StartRefused as error:
        _fail(error.exit_code, error.reason, error.remedy)
    except (StoreFailed, Refused) as error:
        _fail(ExitCode.ERROR, error.reason, error.remedy)
    except NoAnswer as error:
        _fail(ExitCode.TIMEOUT if error.late else ExitCode.ERROR, error.reason, error.remedy)
    except ContractViolation as error:
        _fail(ExitCode.USAGE, str(error), "correct it and try again")
    except BrokenPipeError:
        sys.exit(ExitCode.ERROR)
    except Exception as error:  # noqa: BLE001 - the last edge: a bug becomes exit code 20
        _fail_inside(error, verbose=verbose)


def _fail_inside(error: Exception, *, verbose: bool) -> NoReturn:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _fail(ExitCode.ERROR, "no space is left where this writes", "free the disk and try again")
    if isinstance(error, UnicodeEncodeError):
        what = ascii(str(error.object)[:_SHOWN_MAX])
        _fail(ExitCode.USAGE, f"{what} is no text in the encoding of this terminal", _UTF_8)
    if verbose:
        traceback.print_exception(error)
    _fail(
        ExitCode.INTERNAL,
        f"internal error: {error!r}",
        "run again with --verbose and report what it prints",
    )


def _fail(code: ExitCode, reason: str, remedy: str) -> NoReturn:
    click.echo(f"error: {reason}", err=True)
    if remedy:
        click.echo(f"remedy: {remedy}", err=True)
    sys.exit(code)
