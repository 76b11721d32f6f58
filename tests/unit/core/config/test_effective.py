from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_samples import REQUIRED, changed, settings_with
from trust_runtime.contracts.config import KeyEffect
from trust_runtime.contracts.settings import LogLevel
from trust_runtime.core.config.effective import effective_values, live_values, settings_of
from trust_runtime.core.config.keys import KEYS

RULE = {"action": "cfg_apply", "target": "site-b/*"}


def test_every_key_has_its_default_below_the_file_below_the_document() -> None:
    file = changed(runtime__log__level="warn", runtime__web__listen="127.0.0.1:18081")
    values = effective_values(file, {"log.level": "debug"})
    assert list(values) == [spec.key for spec in KEYS]
    assert values["log.level"] == "debug"
    assert values["web.listen"] == "127.0.0.1:18081"
    assert values["mesh.listen"] == "127.0.0.1:5200"
    assert values["mesh.auth_token"] is None


def test_a_live_value_has_the_form_it_is_read_back_in() -> None:
    document = {
        "runtime_cloud.wan.allow_write": [RULE],
        "web.allowed_hosts": ["PLC.example"],
    }
    values = effective_values(REQUIRED, document)
    assert values["runtime_cloud.wan.allow_write"] == ({**RULE, "from": "*"},)
    assert values["web.allowed_hosts"] == ["plc.example"]


def test_values_that_do_not_fit_together_are_shown_as_they_were_asked_for() -> None:
    values = effective_values(REQUIRED, {"log.level": "loud"})
    assert values["log.level"] == "loud"
    assert settings_of(values) is None


def test_false_and_zero_are_values() -> None:
    file = changed(runtime__web__enabled=False, runtime__cloud__presence__forget_after_ms=0)
    settings = settings_of(effective_values(file, {}))
    assert settings is not None
    assert settings.web.enabled is False
    assert settings.presence.forget_after_ms == 0


def test_every_live_value_names_a_live_key() -> None:
    live = {spec.key for spec in KEYS if spec.effect is KeyEffect.LIVE}
    assert set(live_values(settings_with())) <= live
    fixed = {"control.debug_enabled"}  # One value only in this version.
    assert live - set(live_values(settings_with())) == fixed


@pytest.mark.parametrize("site", [None, "site-b"])
@given(
    level=st.sampled_from(list(LogLevel)),
    names=st.lists(st.sampled_from(["*", "runtime-a", "site-b/*", "default-site/x"]), max_size=3),
    stale=st.integers(2_000, 5_000),
)
def test_settings_made_of_effective_values_are_the_settings_again(
    site: str | None, level: LogLevel, names: list[str], stale: int
) -> None:
    document: dict[str, Any] = {
        "log.level": str(level),
        "runtime_cloud.wan.allow_write": [{"action": "*", "target": name} for name in names],
        "runtime_cloud.presence.stale_after_ms": stale,
    }
    file = REQUIRED if site is None else changed(runtime__cloud__site=site)
    values = effective_values(file, document)
    settings = settings_of(values)
    assert settings is not None
    assert (settings.log_level, settings.presence.stale_after_ms) == (level, stale)
    assert {**values, **live_values(settings)} == values
    assert settings_of({**values, **live_values(settings)}) == settings
