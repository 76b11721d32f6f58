"""Bodies that take long to read are read in a process of their own, one after the other.

The interpreter reads JSON without letting anything else run, so in a thread a megabyte of it would
hold up every other request just as it would on the loop.
"""

import asyncio
import sys
from typing import Any, Final

from trust_runtime.adapters.http.body_reader import LENGTH_BYTES, Said, length_of
from trust_runtime.contracts.codec import unpack
from trust_runtime.contracts.errors import BodyUnread, ContractViolation

_READER: Final = "trust_runtime.adapters.http.body_reader"
_PIECE_BYTES: Final = 65_536
"""What is handed over in one turn of the loop: copying a whole body takes a millisecond."""

_ANSWER_S: Final = 10.0
"""The costliest body takes some hundredths of it; a reader that takes so long is stuck."""


class LargeBodies:
    """The reader's process: started when it is first needed, and again when it was ended."""

    def __init__(self, *, bytes_max: int, answer_s: float = _ANSWER_S) -> None:
        """Start nothing yet.

        Args:
            bytes_max: the longest body.
            answer_s: how long the reader may take for one.
        """
        self._bytes_max = bytes_max
        self._answer_s = answer_s
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The reader's process id; None while there is none."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def read(self, text: bytes) -> dict[str, Any]:
        """Return the members of a body, as `parse_object` does; who comes later waits.

        Raises:
            ContractViolation: it is not strict JSON, or not an object; the path says where.
            BodyUnread: the reader could not be started, was ended meanwhile, or is stuck.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._answer_s):
                    said = await self._ask(text)
            except (OSError, EOFError, TimeoutError) as error:
                await self.close()
                raise BodyUnread(
                    f"the process that reads large bodies failed: {type(error).__name__} {error}",
                    "ask again with the same request_id; if it stays, look for what ends or stops "
                    "processes on this machine",
                ) from error
            except BaseException:
                await self.close()  # Its answer would be taken for the next body's.
                raise
        if said.misfit is not None:
            raise ContractViolation(said.misfit.path, said.misfit.value, said.misfit.allowed)
        return said.members

    async def close(self) -> None:
        """End the reader, which keeps nothing; may be called again, and without `read`."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.close()
        await process.wait()

    async def _ask(self, text: bytes) -> Said:
        process = self._process
        if process is None or process.returncode is not None:
            await self.close()
            process = self._process = await self._start()
        assert process.stdin is not None  # noqa: S101 - it was asked for
        assert process.stdout is not None  # noqa: S101 - it was asked for
        process.stdin.write(length_of(text))
        for at in range(0, len(text), _PIECE_BYTES):
            process.stdin.write(memoryview(text)[at : at + _PIECE_BYTES])
            await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big")
        return unpack(await process.stdout.readexactly(length), Said)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _READER, str(self._bytes_max)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=self._bytes_max,
            start_new_session=True,  # Ctrl+C is for the runtime, which ends its reader itself.
        )
