"""Resolve any accepted spelling of a runtime to its canonical id (contract 2.2)."""

from collections.abc import Collection

from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.ids import (
    DEFAULT_SITE,
    ID_RULE,
    RuntimeId,
    SiteName,
    parse_runtime_id,
    runtime_id,
)


def resolve(text: str, *, own_site: SiteName, known: Collection[RuntimeId]) -> RuntimeId | Denial:
    """Return the canonical id `text` means at a runtime of `own_site`, or why it means none.

    Args:
        text: what the caller wrote.
        own_site: site of the runtime the caller is connected to.
        known: ids in its peer table, its own included.
    """
    try:
        given = parse_runtime_id(text)
        if "/" in text or own_site == DEFAULT_SITE:
            return given
        here = runtime_id(own_site, text)
    except ContractViolation:
        return deny(
            DenialCode.CONTRACT_VIOLATION,
            f"{text!r} is no runtime id",
            f"write the canonical id: {ID_RULE}",
        )
    if given not in known:
        return here
    if here not in known:
        return given
    return deny(
        DenialCode.CONTRACT_VIOLATION,
        f"{text!r} is ambiguous",
        f"write the canonical id: {here} or {DEFAULT_SITE}/{text}",
    )
