"""`adapters.sqlite.heads` keeps what its port promises."""

from port_contracts.past import HeadStoreContract


class TestSqliteHeads(HeadStoreContract):
    pass
