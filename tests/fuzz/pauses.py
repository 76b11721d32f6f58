"""Pauses that are what a programme measures with, not waits for something to happen."""

import asyncio
import time


async def wait_s(seconds: float) -> None:
    """Let everybody else run for so long; at once when it is not positive."""
    await asyncio.sleep(max(0.0, seconds))


def wait_blocking_s(seconds: float) -> None:
    """Stand still for so long."""
    time.sleep(seconds)
