"""`ctl`: one control request to a running runtime, over its control socket."""

import json
from pathlib import Path
from typing import Any, Final

import click

from trust_runtime.app.records import ProjectControl
from trust_runtime.cli.asking import client_of, credentials_of, with_credentials
from trust_runtime.cli.options import (
    chosen_project,
    echo_json,
    json_option,
    printable,
    project_option,
)
from trust_runtime.cli.tables import duration
from trust_runtime.client import Client
from trust_runtime.contracts.actions import VERBS
from trust_runtime.contracts.codec import nearest
from trust_runtime.contracts.errors import ContractViolation, ExitCode
from trust_runtime.contracts.proxies import ControlRequest, DirectRequest, ProxyRequest
from trust_runtime.contracts.results import ControlReply
from trust_runtime.contracts.strict_json import parse_object
from trust_runtime.contracts.units import API_VERSION
from trust_runtime.core.config.keys import KEYS

_TIMEOUT_S: Final = 5.0
_WORDS: Final = {
    "config-set": 2,
    "config-get": None,
    "restart": 1,
    "io-write": 2,
}
"""Actions that take words of their own; None: any number."""
_SHORT: Final = {"stats": "tasks.stats"}
"""Actions of contract 3.3 whose verb has another name."""


def _complete_action(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Return the actions of this version that begin with what was typed."""
    built = [name for name, verb in VERBS.items() if verb.built]
    known = [*(name.replace(".", "-") for name in built), *built, "call"]
    return sorted({name for name in known if name.startswith(incomplete)})


@click.command()
@click.argument("action", shell_complete=_complete_action)
@click.argument("words", nargs=-1)
@project_option
@click.option("--endpoint", help="Ask over HTTP instead, e.g. http://127.0.0.1:18081.")
@click.option("--target", help="With --endpoint: another runtime of that one's fleet.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1, max=600),
    default=_TIMEOUT_S,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@json_option
@with_credentials
@click.pass_context
def ctl(
    ctx: click.Context,
    /,
    *,
    action: str,
    words: tuple[str, ...],
    project: Path | None,
    timeout_s: float,
    as_json: bool,
    **over_http: Any,
) -> int:
    """Send one request to the runtime of a project, e.g. status, health, config-get, shutdown.

    ACTION is a verb, written with dots or dashes. `config-set KEY JSON` writes one config key;
    `call VERB JSON` sends any verb with its parameters; `stats` is the verb tasks.stats. Verbs that
    need a program engine are refused, as this version has none. Exit 1 when it is refused, 13 when
    no answer comes in time.

    Example: trust-runtime ctl status --project ~/trust-cloud-demo/runtime-a
    """
    verb, params = parse_action(action, words)
    endpoint, target = over_http["endpoint"], over_http["target"]
    if endpoint is not None:
        with client_of(endpoint, credentials_of(over_http), timeout_s=timeout_s) as client:
            reply = _ask(client, verb, params, target=target)
    elif target is not None:
        raise click.UsageError("--target needs --endpoint: the control socket is one runtime's.")
    else:
        folder = chosen_project(ctx, project) or Path()
        token = credentials_of(over_http).token
        reply = ProjectControl(folder).request(verb, params, timeout_s=timeout_s, auth=token)
    if as_json:
        echo_json(reply)
    elif reply.ok:
        _show(verb, reply)
        return _tell_missing(reply, params.get("keys") or [])
    else:
        click.echo(f"error: {printable(reply.error or 'refused')} ({reply.denial_code})", err=True)
        if reply.remedy:
            click.echo(f"remedy: {printable(reply.remedy)}", err=True)
    return ExitCode.OK if reply.ok else ExitCode.ERROR


def _ask(client: Client, verb: str, params: dict[str, Any], *, target: str | None) -> ControlReply:
    if target is None:
        return client.control(DirectRequest(type=verb, params=params))
    return client.proxy(
        ProxyRequest(
            api_version=API_VERSION,
            actor="local://cli",
            target_runtime=target,
            control_request=ControlRequest(type=verb, params=params),
        )
    )


def parse_action(action: str, words: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the verb and the parameters that a command line means.

    Raises:
        click.UsageError: there is no such verb, its words do not fit, or the JSON of `call` is no
            strict JSON object.
    """
    if action == "call":
        if not 1 <= len(words) <= 2:  # noqa: PLR2004 - a verb and its parameters
            raise click.UsageError("Write: ctl call VERB [JSON].")
        return _known(words[0]), _parameters(words[1]) if len(words) > 1 else {}
    verb = _known(action)
    wanted = _WORDS.get(verb.replace(".", "-"), 0)
    if wanted is not None and len(words) != wanted:
        raise click.UsageError(f"{action} takes {wanted or 'no'} words; see ctl --help.")
    match verb:
        case "config.get":
            return verb, {"keys": list(words)} if words else {}
        case "config.set":
            return verb, {words[0]: _value(words[1])}
        case "restart":
            return verb, {"mode": words[0]}
        case "io.write":
            return verb, {"address": words[0], "value": _value(words[1])}
        case _:
            return verb, {}


def _known(text: str) -> str:
    text = _SHORT.get(text, text)
    dotted = text.replace("-", ".")
    for name in (text, dotted, text.replace("-", "_")):
        if name in VERBS:
            return name
    raise click.UsageError(f"No such verb '{text}'{nearest(dotted, list(VERBS))}.")


def _parameters(text: str) -> dict[str, Any]:
    try:
        return parse_object(text.encode())
    except ContractViolation as error:
        raise click.UsageError(f"the JSON of call: {error}.") from error


def _value(text: str) -> Any:
    """Return JSON as its value, anything else as the text it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tell_missing(reply: ControlReply, keys: list[str]) -> ExitCode:
    """Name each config key that was asked for and has no value."""
    found = reply.result if isinstance(reply.result, dict) else {}
    missing = [key for key in keys if key not in found]
    for key in missing:
        hint = nearest(key, [spec.key for spec in KEYS])
        click.echo(f"error: {printable(key)} has no value here{hint}", err=True)
    if missing:
        click.echo("remedy: see trust-runtime ctl config-get for every key", err=True)
    return ExitCode.ERROR if missing else ExitCode.OK


def _show(verb: str, reply: ControlReply) -> None:
    result = reply.result
    if verb == "status" and isinstance(result, dict):
        uptime = duration(result.get("uptime_ms"))
        click.echo(
            f"{result.get('runtime_id')} {result.get('state')}, engine {result.get('engine')},"
            f" up {uptime}, profile {result.get('profile')},"
            f" {result.get('mesh', {}).get('peers', 0)} peers online"
        )
        for reason in result.get("degraded_reasons", []):
            click.echo(f"  {printable(str(reason))}")
    elif verb == "health" and isinstance(result, dict):
        reasons = "; ".join(str(reason) for reason in result.get("reasons", []))
        click.echo(f"{result.get('health')}" + (f": {printable(reasons)}" if reasons else ""))
    else:
        echo_json(result)
