"""`GET /api/openapi.json` and `GET /api/docs`: what this API is, for programs and for people."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property

from starlette.responses import Response

from trust_runtime.adapters.http.answers import bytes_answer, page_answer
from trust_runtime.adapters.http.docs_page import Page, render_page
from trust_runtime.adapters.http.endpoint import Asked, Backend
from trust_runtime.adapters.http.openapi import build_openapi
from trust_runtime.adapters.http.route import Route
from trust_runtime.contracts.codec import encode_json


class ApiDocument:
    """The document of a route table and its page, each made at the first question."""

    def __init__(self, routes: Callable[[], Sequence[Route]]) -> None:
        """Describe `routes`, asked for late: the table has this document's own rows too."""
        self._routes = routes

    @cached_property
    def content(self) -> bytes:
        """The document as it is sent."""
        return encode_json(build_openapi(self._routes()))

    @cached_property
    def page(self) -> Page:
        """The page as it is sent."""
        return render_page(build_openapi(self._routes()))

    async def get_openapi(self, _asked: Asked, _backend: Backend) -> Response:
        """Return this document."""
        # Made in a thread: reading the contracts takes some ten milliseconds, once.
        return bytes_answer(await asyncio.to_thread(lambda: self.content))

    async def get_docs(self, _asked: Asked, _backend: Backend) -> Response:
        """Return this document as a page for people."""
        page = await asyncio.to_thread(lambda: self.page)
        return page_answer(page.html, policy=page.policy)
