"""`adapters.sqlite.action_rows` keeps what its port promises."""

from port_contracts.action_rows import ActionRowStoreContract


class TestSqliteActionRows(ActionRowStoreContract):
    pass
