from msgspec.structs import replace

from trust_runtime.adapters.mdns.sightings import SightingTable
from trust_runtime.contracts.discovery import Sighting
from trust_runtime.contracts.ids import RuntimeId

PRESS = Sighting(
    runtime_id=RuntimeId("press-2"),
    addresses=("127.0.0.1:7447",),
    mesh_tls=False,
    fingerprint="a" * 64,
)
MOVED = replace(PRESS, addresses=("127.0.0.1:7448",))


def test_only_new_and_changed_sightings_are_told() -> None:
    table = SightingTable()

    told = [table.hear("press", sighting) for sighting in (PRESS, PRESS, MOVED, MOVED, PRESS)]

    assert told == [True, False, True, False, True]


def test_a_forgotten_one_is_new_again() -> None:
    table = SightingTable()
    table.hear("press", PRESS)

    table.forget("press")
    table.forget("unknown")

    assert table.hear("press", PRESS)


def test_the_one_heard_longest_ago_gives_way() -> None:
    table = SightingTable(sightings_max=2)
    for instance in ("a", "b", "a", "c"):
        table.hear(instance, PRESS)

    assert len(table) == 2
    assert not table.hear("a", PRESS)
    assert table.hear("b", PRESS)
