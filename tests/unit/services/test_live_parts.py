import pytest
from msgspec import structs

from fakes.log import FakeLog
from signed_fleet import Listener, settings_of
from trust_runtime.contracts.presence import PresenceLimits
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.services.live_parts import LiveParts


class Stubborn:
    """A log that stays at its level, whatever it is told."""

    @property
    def level(self) -> LogLevel:
        return LogLevel.ERROR

    @level.setter
    def level(self, level: LogLevel) -> None:
        pass


@pytest.mark.parametrize("level", list(LogLevel))
def test_the_log_takes_its_level_and_says_it(level: LogLevel) -> None:
    log = FakeLog()
    parts = LiveParts(running=Listener().running, log=log)

    assert parts.apply(settings_of(log_level=level)) == ()

    assert log.level is level
    assert parts.read_back()["log.level"] == level.value


def test_a_part_that_does_not_take_its_value_is_named() -> None:
    parts = LiveParts(running=Listener().running, log=Stubborn())

    assert parts.apply(settings_of(log_level=LogLevel.DEBUG)) == (
        "log.level: the log runs at error",
    )
    assert parts.read_back()["log.level"] == "error"


def test_what_is_read_back_is_what_runs_not_what_was_asked() -> None:
    here = Listener()
    parts = LiveParts(running=here.running, log=FakeLog())
    asked = settings_of(presence=PresenceLimits(beacon_period_ms=123))

    assert parts.apply(asked) == ()
    assert parts.read_back()["runtime_cloud.presence.beacon_period_ms"] == 1_000
    here.running.settings = structs.replace(asked)
    assert parts.read_back()["runtime_cloud.presence.beacon_period_ms"] == 123
