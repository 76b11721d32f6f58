"""Which Zenoh this process runs on, for those who may name no adapter."""

from trust_runtime.adapters.mesh.version import live_zenoh_version as _ask


def live_zenoh_version() -> str:
    """Return what a live session says of its version, as text that holds `X.Y.Z`."""
    return _ask()
