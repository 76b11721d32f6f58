"""A process that serves the control socket named until its standard input ends."""

import asyncio
import sys
from pathlib import Path

from control_talk import Echo
from trust_runtime.adapters.control_socket import ControlSocket


async def main() -> None:
    control = ControlSocket(Path(sys.argv[1]), Echo())
    await control.open()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await control.close()


asyncio.run(main())
