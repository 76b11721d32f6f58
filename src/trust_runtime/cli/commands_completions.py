"""`completions`: the script that lets a shell complete our commands."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completions(ctx: click.Context, /, *, shell: str) -> None:
    """Print the completion script of a shell, for its start-up file.

    bash: source <(trust-runtime completions bash), in ~/.bashrc. zsh: the same after compinit, in
    ~/.zshrc. fish: write it to ~/.config/fish/completions/trust-runtime.fish.

    Example: trust-runtime completions bash >> ~/.bashrc
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has every shell of SHELLS
    script = kind(ctx.find_root().command, {}, "trust-runtime", "_TRUST_RUNTIME_COMPLETE")
    click.echo(script.source())
