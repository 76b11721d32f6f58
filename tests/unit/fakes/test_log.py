from fakes.log import FakeLog
from trust_runtime.contracts.settings import LogLevel


def test_lines_are_kept_in_order_with_their_data() -> None:
    log = FakeLog()
    log.error("one", "first", peer="press-1")
    log.debug("two", "second")
    log.warn("one", "third")
    assert log.events() == ["one", "two", "one"]
    assert [(line.level, line.data) for line in log.of("one")] == [
        (LogLevel.ERROR, {"peer": "press-1"}),
        (LogLevel.WARN, {}),
    ]
