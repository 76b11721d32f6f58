"""A member of a mesh that tells what it sees, one JSON line per event.

Arguments: its name, its `MeshOptions` as JSON. Each line on standard input is an address to dial;
the end of the input ends it.
"""

import asyncio
import json
import os
import sys
import time

import msgspec

from trust_runtime.adapters.mesh.session import ZenohMesh
from trust_runtime.adapters.mesh.session_config import MeshOptions
from trust_runtime.contracts.envelope import MeshMessage
from trust_runtime.contracts.ids import BootId, parse_runtime_id
from trust_runtime.contracts.keyspace import ALL_TOKENS, probe_key, token_key


def say(event: str, **members: object) -> None:
    line = json.dumps({"event": event, "at_ns": time.monotonic_ns(), **members})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    owner = parse_runtime_id(sys.argv[1])
    options = msgspec.json.decode(
        sys.argv[2], type=MeshOptions, dec_hook=lambda kind, value: kind(value)
    )
    mesh = ZenohMesh(options, on_problem=lambda text: say("problem", text=text))
    boot = BootId(f"boot-{os.getpid()}")

    async def answer(message: MeshMessage) -> MeshMessage:
        return MeshMessage(key=message.key, body=boot.encode())

    mesh.watch_tokens(ALL_TOKENS, lambda key, alive: say("token", key=key, alive=alive))
    mesh.serve(probe_key(owner), answer, waiting_max=16)
    mesh.hold_token(token_key(owner, boot))
    await mesh.open()
    say("open")
    number = 0
    while address := await asyncio.to_thread(sys.stdin.readline):
        number += 1
        started_ns = time.monotonic_ns()
        linked = await mesh.dial(address.strip())
        say("dialled", number=number, linked=linked, took_ns=time.monotonic_ns() - started_ns)
    await mesh.close()


if __name__ == "__main__":
    asyncio.run(main())
