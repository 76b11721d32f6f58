"""The command `trust-runtime` and its subcommands, each loaded when it is used (contract 3.3).

Nothing heavy is imported here: help, completion and a mistyped name answer at once.
"""

import importlib
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from trust_runtime import __version__
from trust_runtime.cli.interrupts import ending_at_once
from trust_runtime.contracts.errors import ExitCode

_COMMANDS: Final = {
    "play": ("commands_run", "Create what a project lacks, then run it until Ctrl+C."),
    "run": ("commands_run", "Run an existing project as a service, with JSON log lines."),
    "validate": ("commands_run", "Check configuration and files of a project; start nothing."),
    "wizard": ("commands_wizard", "Create a new project; ask for what no flag says."),
    "doctor": ("commands_doctor", "Look at a project and its surroundings, and what to mend."),
    "ctl": ("commands_ctl", "Send one request to a runtime, e.g. status or shutdown."),
    "fleet": ("commands_fleet", "Is anything wrong, and who sees whom."),
    "actions": ("commands_actions", "Ask whether an action would be allowed; carry it out."),
    "timeline": ("commands_timeline", "Show what happened, and what happens now."),
    "config": ("commands_config", "Read, write and compare configuration, of any runtime."),
    "links": ("commands_links", "Look at link preferences and change them."),
    "io": ("commands_io", "Look at inputs and outputs and change them."),
    "api": ("commands_api", "Readiness, metrics and the API's own description."),
    "pair": ("commands_pair", "Give out tokens against codes, and take them back."),
    "audit": ("commands_audit", "Look into the audit records of a project and verify them."),
    "bench": ("commands_bench", "Measure a workload on this machine, beside references."),
    "pki": ("commands_pki", "Make, renew and revoke certificates; decide whom to trust."),
    "completions": ("commands_completions", "Print the completion script of a shell."),
}
"""Every command: the module of this package that has it, and what it is for, in a few words."""

_LATER: Final = (*("deploy", "rollback", "build", "check", "test"),)
"""Commands of the product that are not in this version; named, never accepted and ignored."""


class _Commands(click.Group):
    """Commands that are loaded one by one, with a word for those that are missing or misspelt."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        with ending_at_once():
            module = importlib.import_module(f"trust_runtime.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [
            CompletionItem(name, help=text)
            for name, (_, text) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        # Not the group's own: that would load every command, for a text that stands here.
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in _LATER:
            raise click.UsageError(f"'{name}' is not in this version.")
        if name not in _COMMANDS:
            codec = importlib.import_module("trust_runtime.contracts.codec")
            hint = codec.nearest(name, self.list_commands(ctx))
            raise click.UsageError(f"No such command '{name}'{hint}.")
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        zenoh = importlib.import_module("importlib.metadata").version("eclipse-zenoh")
        api = importlib.import_module("trust_runtime.contracts.units").API_VERSION
        click.echo(f"trust-runtime {__version__}, API {api}, Zenoh {zenoh}")
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
