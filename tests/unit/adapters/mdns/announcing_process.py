"""A process that announces and browses until its standard input ends; one JSON line per event.

Arguments: the advertisement as JSON, the interface address.
"""

import asyncio
import json
import sys
import time

import msgspec

from trust_runtime.adapters.mdns.discovery import MdnsDiscovery
from trust_runtime.contracts.discovery import Advertisement, Sighting


def say(event: str, **members: object) -> None:
    line = json.dumps({"event": event, "at_ns": time.monotonic_ns(), **members})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def on_sighting(sighting: Sighting) -> None:
    say("sighting", sighting=msgspec.to_builtins(sighting))


async def main() -> None:
    advertisement = msgspec.json.decode(sys.argv[1], type=Advertisement)
    discovery = MdnsDiscovery()
    await discovery.open(advertisement, interfaces=(sys.argv[2],), on_sighting=on_sighting)
    say("open")
    await asyncio.to_thread(sys.stdin.read)
    await discovery.close()
    say("closed", tasks=len(asyncio.all_tasks()) - 1, ignored=discovery.ignored)


asyncio.run(main())
