"""`adapters.sqlite.audit` keeps what its port promises of the records."""

from port_contracts.store import AuditLogContract


class TestSqliteAuditLog(AuditLogContract):
    pass
