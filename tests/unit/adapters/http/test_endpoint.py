"""`adapters.http.endpoint`: the real services fit what endpoints ask for."""

from collections import Counter
from collections.abc import Callable

import pytest
from starlette.datastructures import Headers

from trust_runtime.adapters.http.endpoint import (
    Actions,
    Asked,
    Audit,
    Backend,
    Config,
    Fleet,
    History,
    Timeline,
    Views,
    Watching,
)
from trust_runtime.adapters.http.operating import Operating
from trust_runtime.contracts.answers import Readiness
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.services import (
    actions,
    audit,
    fleet,
    fleet_config,
    history,
    metrics,
    stream,
    timeline,
    views,
)


def backend_of(  # noqa: PLR0913 - one service each
    *,
    own: RuntimeId,
    seen: fleet.Fleet,
    acting: actions.Actions,
    configured: fleet_config.FleetConfig,
    records: audit.Audit,
    watching: Watching,
    operating: Operating,
    readiness: Callable[[], Readiness],
    measured: metrics.Metrics,
) -> Backend:
    return Backend(
        own=own,
        fleet=seen,
        actions=acting,
        config=configured,
        audit=records,
        watching=watching,
        operating=operating,
        readiness=readiness,
        metrics=measured.read,
        refused=Counter(),
    )


def watching_of(
    *,
    events: timeline.Timeline,
    states: history.History,
    seen: views.Views,
    listened: stream.Stream,
) -> Watching:
    return Watching(timeline=events, history=states, views=seen, stream=listened)


@pytest.mark.parametrize(
    ("promise", "service"),
    [
        (Fleet, fleet.Fleet),
        (Actions, actions.Actions),
        (Config, fleet_config.FleetConfig),
        (Audit, audit.Audit),
        (Timeline, timeline.Timeline),
        (History, history.History),
        (Views, views.Views),
    ],
)
def test_the_services_have_every_method_asked_for(promise: type, service: type) -> None:
    asked = [name for name in vars(promise) if not name.startswith("_")]
    assert asked
    assert all(callable(getattr(service, name, None)) for name in asked)


def test_an_endpoint_behind_a_door_knows_its_caller() -> None:
    caller = Caller(identity="local://admin", role=Role.ADMIN)
    assert Asked(authenticated=caller, headers=Headers()).caller == caller
    with pytest.raises(AssertionError, match="open endpoint"):
        _ = Asked(authenticated=None, headers=Headers()).caller
