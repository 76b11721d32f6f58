"""`adapters.sqlite.config` keeps what its port promises of configuration."""

from port_contracts.store import ConfigStoreContract


class TestSqliteConfigStore(ConfigStoreContract):
    pass
