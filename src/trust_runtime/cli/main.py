"""`trust-runtime`: the command line's entrance, and how faults become exit codes (3.3, 3.5)."""

import errno
import importlib
import importlib.metadata
import sys
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from trust_runtime import __version__
from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.errors import (
    ContractViolation,
    ExitCode,
    NoAnswer,
    Refused,
    StartRefused,
    StoreFailed,
)
from trust_runtime.contracts.units import API_VERSION

_COMMANDS: Final = {
    "play": "commands_run",
    "run": "commands_run",
    "validate": "commands_run",
    "wizard": "commands_wizard",
    "doctor": "commands_doctor",
    "ctl": "commands_ctl",
    "fleet": "commands_fleet",
    "actions": "commands_actions",
    "timeline": "commands_timeline",
    "config": "commands_config",
    "links": "commands_links",
    "io": "commands_io",
    "api": "commands_api",
    "audit": "commands_audit",
    "bench": "commands_bench",
    "pki": "commands_pki",
    "completions": "commands_completions",
}
"""Every command, and the module of this package that has it; loaded when it is needed."""

_LATER: Final = (*("deploy", "rollback", "build", "check", "test"),)
"""Commands of the product that are not in this version; named, never accepted and ignored."""


class _Commands(click.Group):
    """Commands that are loaded one by one, with a word for those that are missing or misspelt."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"trust_runtime.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in _LATER:
            raise click.UsageError(f"'{name}' is not in this version.")
        if self.get_command(ctx, name) is None:
            hint = nearest(name, self.list_commands(ctx))
            raise click.UsageError(f"No such command '{name}'{hint}.")
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        zenoh = importlib.metadata.version("eclipse-zenoh")
        click.echo(f"trust-runtime {__version__}, API {API_VERSION}, Zenoh {zenoh}")
        ctx.exit()


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--project", type=click.Path(path_type=Path), help="Project folder, for any command.")
@click.option("--verbose", is_flag=True, help="Show where an unexpected error came from.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print product, API and Zenoh version.",
)
@click.pass_context
def cli(ctx: click.Context, project: Path | None, verbose: bool) -> int | None:  # noqa: FBT001 - click's shape
    """Run one PLC runtime of a fleet, and look into it.

    Start with: trust-runtime play --project ~/trust-cloud-demo/runtime-a
    """
    ctx.obj = {"project": project, "verbose": verbose}
    if ctx.invoked_subcommand is not None:
        return None
    if project is None and not Path("runtime.toml").is_file():
        click.echo(ctx.get_help())
        ctx.exit(ExitCode.USAGE)
    command = cli.get_command(ctx, "play")
    assert command is not None  # noqa: S101 - it stands in the table above
    code: int = ctx.invoke(command)
    return code


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code; no fault ends in a traceback."""
    verbose = "--verbose" in (sys.argv[1:] if arguments is None else arguments)
    try:
        result: Any = cli.main(args=arguments, prog_name="trust-runtime", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else ExitCode.OK)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.ERROR)
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
