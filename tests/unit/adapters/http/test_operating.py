"""`adapters.http.operating`: the real services fit what endpoints ask for."""

import pytest

from trust_runtime.adapters.http.operating import Io, Links, Operating, Pairings, Proxies, Rows
from trust_runtime.services import action_rows, fleet_io, links, pairings, proxies


def operating_of(
    *,
    rows: action_rows.ActionRows,
    preferred: links.Links,
    io: fleet_io.FleetIo,
    verbs: proxies.Proxies,
    tokens: pairings.Pairings,
) -> Operating:
    return Operating(rows=rows, links=preferred, io=io, proxies=verbs, pairings=tokens)


@pytest.mark.parametrize(
    ("promise", "service"),
    [
        (Rows, action_rows.ActionRows),
        (Links, links.Links),
        (Io, fleet_io.FleetIo),
        (Proxies, proxies.Proxies),
        (Pairings, pairings.Pairings),
    ],
)
def test_the_services_have_every_method_asked_for(promise: type, service: type) -> None:
    asked = [name for name in vars(promise) if not name.startswith("_")]
    assert asked
    assert all(callable(getattr(service, name, None)) for name in asked)
