from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from signed_fleet import settings_of
from trust_runtime.app.banner import start_lines
from trust_runtime.contracts.settings import Settings

FOLDER = Path("press")
PLAIN = settings_of()


def changed(**members: Any) -> Settings:
    return structs.replace(PLAIN, **members)


def told(settings: Settings) -> dict[str, str]:
    lines = [line.split(maxsplit=1) for line in start_lines(FOLDER, settings)]
    return {word: rest for word, rest in lines if word != "Press"}


def test_it_tells_what_runs_where_and_what_is_not_there() -> None:
    assert list(start_lines(FOLDER, PLAIN)) == [
        "runtime    press-1 (site default-site)",
        "project    press",
        "profile    dev",
        "web        http://127.0.0.1:8080",
        "control    unix:///run/control.sock",
        "mesh       127.0.0.1:7447",
        "engine     absent: this version has no program engine, nothing is scanned",
        "Press Ctrl+C to stop",
    ]


@pytest.mark.parametrize(
    ("settings", "word", "rest"),
    [
        (structs.replace(PLAIN, web=structs.replace(PLAIN.web, enabled=False)), "web", "off"),
        (
            structs.replace(PLAIN, mesh=structs.replace(PLAIN.mesh, enabled=False)),
            "mesh",
            "mesh off",
        ),
        (
            changed(
                mesh=structs.replace(PLAIN.mesh, role="client", connect=("tcp/a:1", "tcp/b:2"))
            ),
            "mesh",
            "client of tcp/a:1, tcp/b:2",
        ),
    ],
)
def test_what_is_off_is_said_to_be_off(settings: Settings, word: str, rest: str) -> None:
    assert told(settings)[word] == rest
    assert len(told(settings)) == 7
