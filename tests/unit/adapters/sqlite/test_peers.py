"""`adapters.sqlite.peers` keeps what its port promises of the peer table."""

from port_contracts.store import PeerStoreContract


class TestSqlitePeers(PeerStoreContract):
    pass
