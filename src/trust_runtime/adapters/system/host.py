"""Which machine this is (contract 5.5)."""

import ctypes
import ctypes.util
import os
import re
import socket
import sys
from pathlib import Path
from typing import Final

from trust_runtime.contracts.codec import sha256_hex

BOOT_ID_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
_BOOT_SESSION: Final = b"kern.bootsessionuuid"  # macOS.
_BOOT_SESSION_BYTES_MAX: Final = 128
_LABEL_LENGTH_MAX: Final = 63  # RFC 1035, section 2.3.4.


def host_key(host_group: str | None) -> str:
    """Return the key that equals another runtime's when both are on the same host.

    `group:HOST_GROUP` when a group is set, else `host:` and SHA-256 of the running kernel's boot
    id. Where the kernel tells none, a key that equals no other: "same host" is then unknown, and
    is not claimed.
    """
    if host_group:
        return f"group:{host_group}"
    return "host:" + sha256_hex(_boot_id() or os.urandom(32))


def host_name() -> str:
    """Return this machine's name as one DNS label: without domain, letters, digits and `-`."""
    first = socket.gethostname().partition(".")[0]
    label = re.sub(r"[^A-Za-z0-9-]+", "-", first)[:_LABEL_LENGTH_MAX].strip("-")
    return label or "host"


def _boot_id() -> bytes | None:
    if sys.platform == "darwin":
        return _boot_session()
    try:
        return BOOT_ID_FILE.read_bytes().strip() or None
    except OSError:
        return None


def _boot_session() -> bytes | None:
    """Return macOS's boot session id, or None where the call is missing or fails."""
    library = ctypes.CDLL(ctypes.util.find_library("c"))
    content = ctypes.create_string_buffer(_BOOT_SESSION_BYTES_MAX)
    size = ctypes.c_size_t(_BOOT_SESSION_BYTES_MAX)
    try:
        failed = library.sysctlbyname(_BOOT_SESSION, content, ctypes.byref(size), None, 0)
    except AttributeError:
        return None
    return None if failed else content.value or None
