"""`adapters.http.routes.api`: each form of the document is made once."""

import json

from trust_runtime.adapters.http.route import Route
from trust_runtime.adapters.http.routes import api
from trust_runtime.adapters.http.table import ROUTES


def test_the_table_is_read_at_the_first_question_and_never_again() -> None:
    asked = []

    def routes() -> tuple[Route, ...]:
        asked.append(1)
        return ROUTES

    document = api.ApiDocument(routes)
    assert asked == []
    assert document.content is document.content
    assert len(asked) == 1
    assert json.loads(document.content)["openapi"] == "3.1.0"
    assert document.page is document.page
    assert len(asked) == 2
