"""`adapters.sqlite.links` keeps what its port promises."""

from port_contracts.links import LinkStoreContract


class TestSqliteLinks(LinkStoreContract):
    pass
