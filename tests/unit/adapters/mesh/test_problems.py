"""`adapters.mesh.problems`: every problem is counted, few are told."""

from trust_runtime.adapters.mesh.problems import Problems


def test_a_flood_is_counted_but_told_seldom() -> None:
    told: list[str] = []
    problems = Problems(told.append)
    for _ in range(1_000):
        problems.add("a handler failed", ValueError("why"))
    problems.add("another", "why not")
    assert problems.counts() == {"a handler failed": 1_000, "another": 1}
    assert len(told) == 11
    assert told[0] == "a handler failed (1 times): ValueError('why')"
    assert "(512 times)" in told[9]
    assert told[10] == "another (1 times): 'why not'"
