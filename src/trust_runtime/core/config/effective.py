"""The value of every configuration key, from file, desired document and defaults (4.1)."""

from collections.abc import Mapping
from typing import Any

from trust_runtime.contracts.codec import to_plain
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values
from trust_runtime.core.config.keys import KEYS
from trust_runtime.core.config.patch import overlay


def effective_values(file_values: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return every config key with its value; None where it has none.

    Live values are in the form the running parts read back, so that both can be compared.
    """
    values = overlay(file_values, document)
    by_key = {spec.key: values.get(spec.path, spec.default) for spec in KEYS}
    settings = check_values(values)
    return {**by_key, **live_values(settings)} if isinstance(settings, Settings) else by_key


def settings_of(values_by_key: Mapping[str, Any]) -> Settings | None:
    """Return settings made of these values, or None when they do not fit together."""
    paths = {spec.key: spec.path for spec in KEYS}
    settings = check_values(
        {paths[key]: value for key, value in values_by_key.items() if value is not None}
    )
    return settings if isinstance(settings, Settings) else None


def live_values(settings: Settings) -> dict[str, Any]:
    """Return the live keys that running parts read from `settings`, in configuration form."""
    presence = settings.presence
    return {
        "log.level": str(settings.log_level),
        "control.auth_token": None
        if settings.control_token is None
        else settings.control_token.value,
        "web.allowed_hosts": list(settings.web.allowed_hosts),
        "runtime_cloud.wan.allow_write": to_plain(settings.allow_write),
        "runtime_cloud.links.transports": [
            {
                "source": settings.runtime_id,
                "target": entry.target,
                "transport": str(entry.transport),
            }
            for entry in settings.links
        ],
        "runtime_cloud.profile": str(settings.profile),
        "runtime_cloud.presence.beacon_period_ms": presence.beacon_period_ms,
        "runtime_cloud.presence.stale_after_ms": presence.stale_after_ms,
        "runtime_cloud.presence.partition_after_ms": presence.partition_after_ms,
        "runtime_cloud.presence.forget_after_ms": presence.forget_after_ms,
    }
