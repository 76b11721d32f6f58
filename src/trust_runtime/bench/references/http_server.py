"""Plain Starlette on uvicorn: `/echo` answers what it was told, `/ready` a file it read once.

python -m trust_runtime.bench.references.http_server PORT FILE
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_JSON = "application/json"


def application(content: bytes) -> Starlette:
    """Return the application; `content` is what `/ready` answers."""

    async def echo(request: Request) -> Response:
        return Response(await request.body(), media_type=_JSON)

    async def ready(_: Request) -> Response:
        return Response(content, media_type=_JSON)

    return Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/ready", ready)])


def main() -> None:
    """Serve until terminated."""
    port, file = sys.argv[1:]
    uvicorn.run(
        application(Path(file).read_bytes()),
        host="127.0.0.1",
        port=int(port),
        loop="asyncio",  # As the product's.
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
