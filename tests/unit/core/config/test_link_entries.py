"""`core.config.link_entries`: `runtime.cloud.links.transports` (contract 4.2, 14.1)."""

from typing import Any

import pytest

from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.ids import DEFAULT_SITE, RuntimeId, SiteName
from trust_runtime.contracts.links import LinkEntry, Transport
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values
from trust_runtime.core.config.effective import effective_values, settings_of
from trust_runtime.core.config.link_entries import (
    TRANSPORTS,
    end_problems,
    entry_problems,
    read_entries,
)
from trust_runtime.core.config.toml_values import values_of

PATH = "runtime.cloud.links.transports"
GOOD = {"source": "press-1", "target": "press-2", "transport": "mesh"}
FILE: dict[str, Any] = {
    "bundle.version": 1,
    "resource.name": "press-1",
    "resource.cycle_interval_ms": 100,
    "runtime.control.endpoint": "unix:///run/press-1/control.sock",
}


def checked(*entries: Any, **more: Any) -> Settings | tuple[SettingProblem, ...]:
    return check_values({**FILE, PATH: list(entries), **more})


def problems(*entries: Any, **more: Any) -> list[tuple[str, str | None]]:
    found = checked(*entries, **more)
    assert not isinstance(found, Settings)
    return [(problem.path, problem.message) for problem in found]


def test_entries_become_links_of_this_runtime() -> None:
    settings = checked(GOOD, {**GOOD, "target": "site-b/oven-1", "transport": "modbus_tcp"})
    assert isinstance(settings, Settings)
    assert settings.links == (
        LinkEntry(target=RuntimeId("press-2"), transport=Transport.MESH),
        LinkEntry(target=RuntimeId("site-b/oven-1"), transport=Transport.MODBUS_TCP),
    )


def test_a_bare_name_means_the_own_site() -> None:
    entries = read_entries([GOOD], SiteName("site-a"))
    assert [entry.target for entry in entries] == ["site-a/press-2"]
    [elsewhere] = read_entries([{**GOOD, "target": "default-site/x"}], SiteName("site-a"))
    assert elsewhere.target == "x"


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("mesh", f"{PATH}[0]"),
        ({**GOOD, "sorce": "press-1"}, PATH + "[0]"),
        ({**GOOD, "source": None}, f"{PATH}[0].source"),
        ({**GOOD, "source": "press-2", "target": "press-3"}, f"{PATH}[0].source"),
        ({**GOOD, "target": "press-1"}, f"{PATH}[0].target"),
        ({**GOOD, "target": "a/b/c"}, f"{PATH}[0].target"),
        ({**GOOD, "target": 7}, f"{PATH}[0].target"),
        ({**GOOD, "transport": "Mesh"}, f"{PATH}[0].transport"),
        ({**GOOD, "transport": "carrier-pigeon"}, f"{PATH}[0].transport"),
        ({**GOOD, "transport": ["mesh"]}, f"{PATH}[0].transport"),
    ],
)
def test_what_is_wrong_is_named_by_its_member(entry: Any, path: str) -> None:
    assert [found for found, _ in problems(entry)] == [path]


def test_every_entry_of_all_is_told() -> None:
    bad = {**GOOD, "transport": "x"}
    assert [path for path, _ in problems(bad, GOOD, bad)] == [
        f"{PATH}[0].transport",
        f"{PATH}[2].transport",
    ]


def test_one_target_has_one_transport() -> None:
    again = {**GOOD, "target": "default-site/press-2", "transport": "web"}
    [(path, message)] = problems(GOOD, again)
    assert path == f"{PATH}[1].target"
    assert "has one already" in (message or "")


@pytest.mark.parametrize(("count", "fits"), [(1_024, True), (1_025, False)])
def test_the_list_is_bounded(count: int, *, fits: bool) -> None:
    entries = [{**GOOD, "target": f"r-{number}"} for number in range(count)]
    assert isinstance(checked(*entries), Settings) is fits


def test_an_id_that_is_too_long_with_its_site_is_told_and_not_raised() -> None:
    entry = {**GOOD, "target": "x" * 125}
    assert list(entry_problems(PATH, [entry])) == []
    own = RuntimeId("site-a/press-1")
    found = list(end_problems(PATH, [entry], own=own, site=SiteName("site-a")))
    assert [problem.path for problem in found] == [f"{PATH}[0]"]
    assert list(end_problems(PATH, [entry], own=RuntimeId("press-1"), site=DEFAULT_SITE)) == []


def test_a_file_may_write_transports_in_any_case() -> None:
    document = {"runtime": {"cloud": {"links": {"transports": [{**GOOD, "transport": " MQTT "}]}}}}
    assert values_of(document) == {PATH: [{**GOOD, "transport": "mqtt"}]}


@pytest.mark.parametrize("name", TRANSPORTS)
def test_what_is_in_force_reads_back_to_itself(name: str) -> None:
    values = effective_values(
        FILE, {"runtime_cloud.links.transports": [{**GOOD, "transport": name}]}
    )
    [shown] = values["runtime_cloud.links.transports"]
    assert shown["transport"] in set(Transport)
    settings = settings_of(values)
    assert settings is not None
    assert [entry.transport for entry in settings.links] == [shown["transport"]]
