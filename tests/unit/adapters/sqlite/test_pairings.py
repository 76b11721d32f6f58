"""`adapters.sqlite.pairings` keeps what its port promises."""

from port_contracts.pairings import PairingStoreContract


class TestSqlitePairings(PairingStoreContract):
    pass
