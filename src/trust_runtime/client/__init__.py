"""A typed client of the HTTP API, blocking and for asyncio.

from trust_runtime.client import Client

with Client("http://127.0.0.1:18081") as runtime:
    for node in runtime.state().topology.nodes:
        print(node.runtime_id, node.lifecycle_state)
"""

from trust_runtime.client.async_connection import AsyncClient
from trust_runtime.client.connection import Client
from trust_runtime.contracts.errors import NoAnswer, Refused

__all__ = ["AsyncClient", "Client", "NoAnswer", "Refused"]
