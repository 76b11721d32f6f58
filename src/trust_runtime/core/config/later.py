"""Keys of the contract whose capability is not in this version (D64).

They are known: a value that asks nothing of the missing capability is accepted in a file, so that
templates and examples load; any other value is refused with the words "not in this version".
"""

from collections.abc import Mapping
from typing import Final

from trust_runtime.core.config.rules import Rule, blank, harmless

NOT_IN_THIS_VERSION: Final = "not in this version"

_NOTHING: Final = harmless()
_EMPTY_LIST: Final = harmless([])
_EMPTY_MAP: Final = harmless({})
_FALSE: Final = harmless(False)  # noqa: FBT003 - the value itself

LATER: Final[Mapping[str, Rule]] = {
    "resource.tasks": _EMPTY_LIST,
    "runtime.execution_backend": harmless("auto", "vm"),
    "runtime.engine.orphan_policy": harmless("continue"),
    "runtime.engine.orphan_timeout_ms": harmless(60_000),
    "runtime.retain.mode": harmless("none"),
    "runtime.retain.path": _NOTHING,
    "runtime.retain.save_interval_ms": harmless(1_000),
    "runtime.watchdog.enabled": _FALSE,
    "runtime.watchdog.timeout_ms": harmless(5_000),
    "runtime.watchdog.action": harmless("halt"),
    "runtime.fault.policy": harmless("halt", "safe_halt"),
    "runtime.mesh.plugin_versions": _EMPTY_MAP,  # Only a router has plugins.
    "runtime.mesh.publish": _EMPTY_LIST,
    "runtime.mesh.subscribe": _EMPTY_MAP,
    "runtime.mesh.publish_interval_ms": harmless(1_000),
    "runtime.mesh.on_stale": harmless("hold"),
    "runtime.ha.group_id": blank(),
    "runtime.ha.role": harmless("candidate"),
    "runtime.ha.store": harmless("embedded"),
    "runtime.ha.members": _EMPTY_LIST,
    "runtime.ha.witness": blank(),
    "runtime.ha.lease_ttl_ms": harmless(3_000),
    "runtime.ha.lock_delay_ms": harmless(3_000),
    "runtime.ha.priority": harmless(0),
    "runtime.ha.etcd_endpoints": _EMPTY_LIST,
    "runtime.ha.etcd_ca_path": _NOTHING,
    "runtime.ha.etcd_cert_path": _NOTHING,
    "runtime.ha.etcd_key_path": _NOTHING,
    "runtime.t0.root": _NOTHING,
    "runtime.t0.channels": _EMPTY_LIST,
    "runtime.audit.retain_days": harmless(365, 0),  # Records are kept for ever.
    "runtime.deploy.require_signed": _FALSE,
    "runtime.deploy.keyring_path": _NOTHING,
}
"""TOML path -> the values that ask nothing of what is missing."""

OTHER_CONTRACTS: Final = ("observability", "opcua", "hmi", "historian")
"""Sections of other products' files that are no part of this contract (D50)."""
