"""`adapters.sqlite.timeline` keeps what its port promises."""

from port_contracts.past import TimelineStoreContract


class TestSqliteTimeline(TimelineStoreContract):
    pass
