"""The API document: OpenAPI 3.1 of exactly the route table, from the contracts (6.5, D10)."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from trust_runtime import __version__
from trust_runtime.adapters.http.answers import JSON
from trust_runtime.adapters.http.field_docs import describe_fields
from trust_runtime.adapters.http.parameters import PARAMETERS, TEXT, Parameter
from trust_runtime.adapters.http.route import Route
from trust_runtime.contracts.pages import ErrorEnvelope

_PREFIX: Final = "#/components/schemas/"
_RESPONSES: Final = "#/components/responses/"
_PART: Final = re.compile(r"{(\w+)}")
_OK: Final = 200
_ALWAYS: Final = (400, 403, 408, 500, 503)
_BEHIND_A_DOOR: Final = (401, 429)
_WITH_A_BODY: Final = (413, 415)
_SAYS: Final[Mapping[int, str]] = {
    400: "`contract_violation`: the request is malformed; `error` names the place.",
    401: "`permission_denied`: nobody was authenticated.",
    403: "Refused: the Host, the Origin, the role or a rule forbids it; see `denial_code`.",
    404: "`peer_not_available`: what was asked for is not known here.",
    408: "`timeout`: the request was not received within its deadline.",
    409: "`revision_conflict` or `conflict`: it clashes with the present state.",
    412: "`revision_conflict`: `If-Match` names another document.",
    413: "`contract_violation`: the body is longer than 1 048 576 bytes.",
    415: "`contract_violation`: the body is not announced as `application/json`.",
    429: "`overloaded`: too many attempts or entries; `Retry-After` says when to ask again.",
    500: "`transport_failure`: a mistake of the runtime, found in its log under `error_id`.",
    503: "`not_configured`, `target_unreachable`, `transport_failure` or `overloaded`.",
    504: "`timeout`: the target gave no answer within the budget.",
}
_DESCRIPTION: Final = (
    "What one runtime of the fleet answers. Every refusal has the form of `ErrorEnvelope`; clients"
    " branch on `denial_code`. `HEAD` works wherever `GET` does. A query string never changes the"
    " route; unknown parameters and unknown members of a body are refused by name. Preflight and"
    " dispatch answer 200 for allow and deny alike. A connection that sends no HTTP, or too slowly,"
    " is answered with 400 or 408 and closed."
)


def build_openapi(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of these routes; equal routes give equal documents."""
    schemas, components = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "trust-runtime",
            "version": __version__,
            "summary": "A fleet of PLC runtimes that operate as one cloud.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {name: components[name] for name in sorted(components)},
            "responses": _refusals(routes, schemas[ErrorEnvelope]),
        },
    }


def statuses_of(route: Route) -> tuple[int, ...]:
    """Return every status but 200 that an endpoint can give, ascending."""
    found = {*_ALWAYS, *route.also}
    if route.door is not None:
        found.update(_BEHIND_A_DOOR)
    if route.method == "POST":
        found.update(_WITH_A_BODY)
    return tuple(sorted(found))


def undescribed(routes: Iterable[Route]) -> list[str]:
    """Return what the table does not say yet, each with where to say it."""
    found = []
    for route in routes:
        row = f"Route({route.method} {route.path})"
        if not inspect.getdoc(route.handler):
            found.append(f"{row}: give its handler a docstring; its first line is the summary")
        if route.answer is None:
            found.append(f"{row}: name the contract of its 200 answer, answer=TheStruct")
        if route.method == "POST" and route.body is None and not route.bodiless:
            found.append(f"{row}: name the contract of its body, body=TheStruct, or bodiless=True")
        found += [
            f"{row}: describe parameter {name!r} in adapters/http/parameters.py, or in described="
            for name in (*_PART.findall(route.path), *route.query)
            if _parameter(route, name) is None
        ]
        found += [
            f"{row}: say in adapters/http/openapi.py what status {status} means"
            for status in statuses_of(route)
            if status not in _SAYS
        ]
    return found


def _operation(route: Route, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    summary, _, more = (inspect.getdoc(route.handler) or route.path).partition("\n")
    door = "Open to everybody." if route.door is None else f"Needs role `{route.door}` or higher."
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", route.path),
        "tags": [_tag(route.path)],
        "summary": summary.strip(),
        "description": "\n\n".join(text for text in (door, _paragraphs(more)) if text),
        "x-trust-role": None if route.door is None else str(route.door),
    }
    parameters = [
        *(_parameter_of(route, name, "path") for name in _PART.findall(route.path)),
        *(_parameter_of(route, name, "query") for name in route.query),
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        body = {"required": True, "content": {JSON: {"schema": schemas[route.body]}}}
        operation["requestBody"] = body
    operation["responses"] = _responses(route, schemas)
    return operation


def _responses(route: Route, schemas: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    answer = {"type": "object"} if route.answer is None else schemas[route.answer]
    responses: dict[str, Any] = {
        str(_OK): {"description": "Done.", "content": {route.media: {"schema": answer}}}
    }
    for status in statuses_of(route):
        responses[str(status)] = {"$ref": f"{_RESPONSES}{status}"}
    return responses


def _refusals(routes: Iterable[Route], envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each status other than 200 says: the same at every endpoint."""
    found = sorted({status for route in routes for status in statuses_of(route)})
    return {
        str(status): {
            "description": _SAYS.get(status, HTTPStatus(status).phrase),
            "content": {JSON: {"schema": envelope}},
        }
        for status in found
    }


def _parameter(route: Route, name: str) -> Parameter | None:
    return route.described.get(name) or PARAMETERS.get(name)


def _parameter_of(route: Route, name: str, place: str) -> dict[str, Any]:
    parameter = _parameter(route, name) or Parameter(name, TEXT)
    member = {"name": name, "in": place, "required": place == "path"}
    return {**member, "description": parameter.text, "schema": dict(parameter.schema)}


def _schemas(
    routes: Sequence[Route],
) -> tuple[dict[Any, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the schema of each contract the routes name, and every component they refer to."""
    bodies = {route.body for route in routes if route.body is not None}
    kinds = list(dict.fromkeys([*_named_kinds(routes), ErrorEnvelope]))
    found, components = msgspec.json.schema_components(kinds, ref_template=_PREFIX + "{name}")
    for kind in _structs(kinds):
        component = components[kind.__name__]
        for name, text in describe_fields(kind).items():
            component["properties"][name] = _with_text(component["properties"][name], text)
    for body in bodies:
        # What a body may have beyond its contract, it has from a newer minor version (ruling 42).
        components[body.__name__]["additionalProperties"] = False
    return dict(zip(kinds, found, strict=True)), components


def _named_kinds(routes: Iterable[Route]) -> Iterable[Any]:
    for route in routes:
        yield from (kind for kind in (route.body, route.answer) if kind is not None)


def _structs(kinds: Iterable[Any]) -> list[type[Any]]:
    """Return every Struct that these types consist of."""
    found: dict[type[Any], None] = {}
    waiting = [msgspec.inspect.type_info(kind) for kind in kinds]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                continue
            found[info.cls] = None
            waiting += [field.type for field in info.fields]
        for name in getattr(info, "__struct_fields__", ()):
            part = getattr(info, name)
            parts = part if isinstance(part, tuple) else (part,)
            waiting += [one for one in parts if isinstance(one, msgspec.inspect.Type)]
    return list(found)


def _with_text(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, **{k: v for k, v in schema.items() if k != "description"}}


def _tag(path: str) -> str:
    parts = path.removeprefix("/api/runtime-cloud").strip("/").split("/")
    return parts[0] if path.startswith("/api/runtime-cloud") else "runtime"


def _paragraphs(more: str) -> str:
    """Return the rest of a docstring, without the sections that are for programmers."""
    return re.split(r"\n(?:Args|Raises|Returns):\n", f"\n{more}\n")[0].strip()
