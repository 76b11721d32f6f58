"""What a line of Zenoh's own log says of a link that was not made.

Zenoh 1.7.2 tells nobody but its log of a handshake that failed (eclipse-zenoh/zenoh issues 2712 and
2720): an open session neither returns nor raises anything, and retries for ever.
"""

import re
import ssl
from typing import Final

from trust_runtime.contracts.link_refusals import LinkFault, LinkRefusal, LinkSide

_ASKED: Final = (
    # Nothing else is let through: Zenoh's `api::session` prints passwords at level debug.
    "off",
    "zenoh_link_tls=warn",
    "zenoh_link_commons::tls=warn",
    "zenoh_transport::unicast::establishment::accept=debug",
    "zenoh::net::runtime::orchestrator=debug",
)
LOG_FILTER: Final = ",".join(_ASKED)
"""Which lines Zenoh is asked for, in the form of RUST_LOG."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_LINE: Final = re.compile(
    r"\S+Z +(?:ERROR|WARN|INFO|DEBUG|TRACE) .*?(zenoh[a-z_]*(?:::[a-z_]+)*): (.*)"
)
_SOURCE: Final = re.compile(r" at /\S+|\.? Retry .*| Hint: .*")
_PEER: Final = re.compile(r"Unable to connect to configured peer (?:tls|tcp)/(\S+?)!(.*)")
_DETAIL_MAX: Final = 240
_SILENT: Final = ("handshake eof", "close_notify", "onnection reset", "onnection refused")
"""Somebody left before anything was decided: a knock, a scanner, a process that ended."""

_BY_THEM: Final = ("received fatal alert", "received a close message")

_FAULTS: Final = (
    ("expired", LinkFault.EXPIRED),
    ("not valid yet", LinkFault.NOT_YET_VALID),
    ("not yet valid", LinkFault.NOT_YET_VALID),
    ("unknownissuer", LinkFault.UNKNOWN_CA),
    ("unknownca", LinkFault.UNKNOWN_CA),
    ("unable to get local issuer", LinkFault.UNKNOWN_CA),
    ("unable to get issuer", LinkFault.UNKNOWN_CA),
    ("self-signed", LinkFault.UNKNOWN_CA),
    ("signature failure", LinkFault.UNKNOWN_CA),
    ("badsignature", LinkFault.UNKNOWN_CA),
    ("decrypterror", LinkFault.UNKNOWN_CA),
    ("not valid for", LinkFault.NAME_MISMATCH),
    ("mismatch", LinkFault.NAME_MISMATCH),
    ("sent no certificate", LinkFault.NO_CERTIFICATE),
    ("certificaterequired", LinkFault.NO_CERTIFICATE),
    ("invalidcontenttype", LinkFault.NOT_TLS),
    ("wrong version number", LinkFault.NOT_TLS),
    ("record layer failure", LinkFault.NOT_TLS),
    ("peer is incompatible", LinkFault.OLD_TLS),
    ("protocolversion", LinkFault.OLD_TLS),
    ("usrpwd", LinkFault.WRONG_TOKEN),
    ("received a close message", LinkFault.CLOSED),
    ("badcertificate", LinkFault.BAD_CERTIFICATE),
    ("certificate", LinkFault.BAD_CERTIFICATE),
    ("received fatal alert", LinkFault.HANDSHAKE),
    ("corrupt message", LinkFault.NOT_TLS),
)
"""What is in the text, in lower case -> why; the first one counts."""


def refusal_in(line: str) -> LinkRefusal | None:
    """Return the refusal a line of Zenoh's log tells of; None: it tells of none."""
    found = _LINE.match(_COLOUR.sub("", line))
    if found is None:
        return None
    target, text = found.groups()
    text = _SOURCE.sub("", text).strip()
    if any(silent in text for silent in _SILENT):
        return None
    if target.endswith("orchestrator"):
        peer = _PEER.match(text)
        return None if peer is None else _refusal(LinkSide.CONNECT, peer[2], address=peer[1])
    return _refusal(LinkSide.ACCEPT, text)


def refusal_of(error: ssl.SSLError, address: str) -> LinkRefusal:
    """Return the refusal that a greeting of `address` ended with."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message
    else:
        text = str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    return _refusal(LinkSide.CONNECT, text, address=address) or LinkRefusal(
        side=LinkSide.CONNECT, fault=LinkFault.HANDSHAKE, detail=text, address=address
    )


def _refusal(side: LinkSide, text: str, *, address: str | None = None) -> LinkRefusal | None:
    lowered = text.lower()
    for part, fault in _FAULTS:
        if part in lowered:
            return LinkRefusal(
                side=side,
                fault=fault,
                detail=text.strip()[:_DETAIL_MAX],
                address=address,
                by_them=any(part in lowered for part in _BY_THEM),
            )
    return None
