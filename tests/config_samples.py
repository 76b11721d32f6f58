"""Configurations that tests vary, and values of any shape."""

from typing import Any

from hypothesis import strategies as st

from trust_runtime.contracts.config import SettingProblem
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values

REQUIRED: dict[str, Any] = {
    "bundle.version": 1,
    "resource.name": "runtime-a",
    "resource.cycle_interval_ms": 100,
    "runtime.control.endpoint": "unix:///tmp/a.sock",
}
"""The least that `runtime.toml` must have."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["dev", "a*b", "tcp://x:1", "0.0.0.0:5200", "<redacted>", "A/B"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
"""Anything a parser may hand over."""

small_json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner)
    ),
    max_leaves=5,
)
"""Small values that often meet each other's members."""


def settings_with(**values: Any) -> Settings:
    """Return valid settings; `runtime__log__level="debug"` sets `runtime.log.level`."""
    checked = check_values(changed(**values))
    assert isinstance(checked, Settings), checked
    return checked


def problems_with(**values: Any) -> tuple[SettingProblem, ...]:
    """Return the problems of the required values and these."""
    checked = check_values(changed(**values))
    return () if isinstance(checked, Settings) else checked


def changed(**values: Any) -> dict[str, Any]:
    """Return the required values with these laid over."""
    return {**REQUIRED, **{name.replace("__", "."): value for name, value in values.items()}}
