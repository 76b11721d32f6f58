"""`adapters.mesh.version`: asked of the library itself."""

from trust_runtime.adapters.mesh.version import live_zenoh_version
from trust_runtime.contracts.units import ZENOH_BASELINE


def test_a_live_session_says_the_baseline() -> None:
    assert live_zenoh_version().startswith(f"v{ZENOH_BASELINE}-")
