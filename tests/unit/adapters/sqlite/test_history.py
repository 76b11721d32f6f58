"""`adapters.sqlite.history` keeps what its port promises."""

from port_contracts.past import HistoryStoreContract


class TestSqliteHistory(HistoryStoreContract):
    pass
