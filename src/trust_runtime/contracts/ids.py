"""Names of things in the fleet (contract 2.1)."""

import functools
import re
from typing import Final, NewType

from trust_runtime.contracts.errors import ContractViolation

RuntimeId = NewType("RuntimeId", str)
"""Canonical id: `NAME` in the default site, else `SITE/NAME`."""

SiteName = NewType("SiteName", str)
"""Name of an administrative domain of runtimes."""

BootId = NewType("BootId", str)
"""UUIDv7 chosen at each start of a process: the incarnation of a runtime."""

SpiffeId = NewType("SpiffeId", str)
"""`spiffe://trust/SITE/NAME`, always with the site (SPIFFE-ID, section 2)."""

DEFAULT_SITE: Final = SiteName("default-site")
SPIFFE_ROOT: Final = "spiffe://trust"
ID_LENGTH_MAX: Final = 128
ID_RULE: Final = "NAME or SITE/NAME of letters, digits, '.', '_', '-', 1..128 characters"
RESERVED_NAMES: Final = frozenset({"active", "cfg"})

_TEXT_LENGTH_MAX: Final = len(DEFAULT_SITE) + 1 + ID_LENGTH_MAX
_KEPT: Final = 16_384
"""Texts whose ids are remembered: 2 MiB, and three times the largest fleet."""

_PART: Final = re.compile(r"[A-Za-z0-9._-]+")


def is_id_part(text: str) -> bool:
    """Tell whether `text` can be a name or a site: the grammar of contract 2.1 for one part."""
    return _PART.fullmatch(text) is not None and text not in {".", ".."}


def parse_runtime_id(text: str) -> RuntimeId:
    """Return `text` as a canonical id, or raise ContractViolation.

    `default-site/NAME` becomes `NAME`; nothing else is resolved here (see `core.naming`).
    """
    if len(text) > _TEXT_LENGTH_MAX:
        raise ContractViolation("runtime_id", text, ID_RULE)
    return _parse(text)


@functools.lru_cache(maxsize=_KEPT)
def _parse(text: str) -> RuntimeId:
    parts = text.split("/")
    in_default = len(parts) == 2 and parts[0] == DEFAULT_SITE  # noqa: PLR2004 - SITE/NAME has two parts
    canonical = parts[1] if in_default else text
    too_long = len(canonical) > ID_LENGTH_MAX
    if too_long or len(parts) > 2 or not all(is_id_part(part) for part in parts):  # noqa: PLR2004 - as above
        raise ContractViolation("runtime_id", text, ID_RULE)
    return RuntimeId(canonical)


def runtime_id(site: SiteName, name: str) -> RuntimeId:
    """Return the canonical id of `name` in `site`, or raise ContractViolation."""
    return parse_runtime_id(f"{site}/{name}")


def site_of(runtime: RuntimeId) -> SiteName:
    """Return the site in a canonical id."""
    site, slash, _ = runtime.partition("/")
    return SiteName(site) if slash else DEFAULT_SITE


def name_of(runtime: RuntimeId) -> str:
    """Return the name in a canonical id, without its site."""
    return runtime.rpartition("/")[2]


def spelled_in(site: SiteName, runtime: RuntimeId) -> str:
    """Return how `runtime` is written in the configuration of a runtime of `site`.

    There a bare name means the own site (contract 2.2), so elsewhere the default site is written.
    """
    bare = "/" not in runtime and site != DEFAULT_SITE
    return f"{DEFAULT_SITE}/{runtime}" if bare else runtime


@functools.lru_cache(maxsize=1_024)
def spiffe_id(runtime: RuntimeId) -> SpiffeId:
    """Return the SPIFFE id of a runtime; it always names the site."""
    return SpiffeId(f"{SPIFFE_ROOT}/{site_of(runtime)}/{name_of(runtime)}")


def parse_spiffe_id(text: str) -> RuntimeId:
    """Return the runtime a SPIFFE id names, or raise ContractViolation."""
    prefix = SPIFFE_ROOT + "/"
    path = text.removeprefix(prefix)
    if not text.startswith(prefix) or path.count("/") != 1:
        raise ContractViolation("spiffe_id", text, "spiffe://trust/SITE/NAME")
    return parse_runtime_id(path)


def site_in_actor(actor: str) -> SiteName | None:
    """Return the site an actor claims, or None when it claims none (contract 1.3)."""
    try:
        return site_of(parse_spiffe_id(actor))
    except ContractViolation:
        return None
