"""Units of time, and names for numbers that several layers share."""

from typing import Annotated, Final, NewType

from msgspec import Meta

MonotonicNs = NewType("MonotonicNs", int)
"""Nanoseconds of this process's monotonic clock; comparable only within one process."""

WallNs = NewType("WallNs", int)
"""Nanoseconds since the Unix epoch by a wall clock; for display and for signed times only."""

Unsigned = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": 2**64 - 1})]
"""A number that the edge refuses when it is negative; said here for the API document."""

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
MS_PER_S: Final = 1_000

API_VERSION: Final = "1.0"
"""What every answer says in `api_version`."""

ZENOH_BASELINE: Final = "1.7.2"
"""The one Zenoh release this product is built and tested on (contract 1.5)."""

CLOCK_SKEW_MS_MAX: Final = 5_000
"""Beyond this measured clock skew two runtimes exchange no actions (contract 1.6)."""
