"""The verbs of this version, bound to the services that run them (contract 14.4)."""

from collections.abc import Callable
from typing import Any

from trust_runtime.app.parts import Foundation, Watching
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import parse_runtime_id
from trust_runtime.services.execution import VerbRunner


def build_verbs(
    base: Foundation, watching: Watching, stop: Callable[[], None]
) -> dict[str, VerbRunner]:
    """Return every built verb that needs no decision of its own, by name.

    Args:
        base: what `status`, `health` and `config.get` read.
        watching: what `fleet.matrix`, `audit.heads` and `audit.fleet` ask.
        stop: begins the orderly stop of the process.
    """

    async def read_status(_params: dict[str, Any]) -> Any:
        return base.status.status()

    async def read_health(_params: dict[str, Any]) -> Any:
        return base.status.health()

    async def read_config(params: dict[str, Any]) -> Any:
        effective = (await base.config.view()).effective
        wanted = params.get("keys")
        if wanted is not None and not isinstance(wanted, list):
            raise ContractViolation("params.keys", wanted, "a list of config keys")
        return {k: v for k, v in effective.items() if wanted is None or k in wanted}

    async def read_matrix(_params: dict[str, Any]) -> Any:
        return await watching.views.matrix()

    async def verify_fleet(_params: dict[str, Any]) -> Any:
        return await watching.witness.verify_fleet()

    async def accept_log(params: dict[str, Any]) -> Any:
        text = params.get("runtime_id")
        if not isinstance(text, str):
            raise ContractViolation("params.runtime_id", text, "the id of a runtime")
        runtime_id = parse_runtime_id(text)
        accepted = await watching.witness.accept(runtime_id, by="control socket")
        return {"runtime_id": runtime_id, "accepted": accepted}

    async def shut_down(_params: dict[str, Any]) -> Any:
        stop()
        return {"stopping": True}

    return {
        "status": read_status,
        "health": read_health,
        "config.get": read_config,
        "fleet.matrix": read_matrix,
        "audit.fleet": verify_fleet,
        "audit.accept": accept_log,
        "shutdown": shut_down,
    }
