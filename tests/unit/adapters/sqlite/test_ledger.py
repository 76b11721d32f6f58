"""`adapters.sqlite.ledger` keeps what its port promises of the ledger."""

from port_contracts.store import LedgerStoreContract


class TestSqliteLedger(LedgerStoreContract):
    pass
