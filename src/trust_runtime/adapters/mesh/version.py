"""Which Zenoh this process really runs on."""

import json
from typing import Final

import zenoh

_ASK_S: Final = 5.0
_ALONE: Final = {
    "mode": "peer",
    "listen/endpoints": [],
    "scouting/multicast/enabled": False,
    "open/return_conditions/connect_scouted": False,
    "adminspace/enabled": True,  # Of a session that reaches nobody.
}


def live_zenoh_version() -> str:
    """Return what a session says of its own version, such as `v1.7.2-790faad... built with ...`.

    It opens a session that reaches nobody, and takes some ten milliseconds.

    Raises:
        zenoh.ZError: no session can be opened.
        LookupError: it says nothing of itself.
    """
    config = zenoh.Config()
    for key, value in _ALONE.items():
        config.insert_json5(key, json.dumps(value))
    with zenoh.open(config) as session:
        for reply in session.get(f"@/{session.zid()}/peer", timeout=_ASK_S):
            if reply.ok is not None:
                return str(json.loads(reply.ok.payload.to_bytes())["version"])
    raise LookupError("the session says nothing of its version")
