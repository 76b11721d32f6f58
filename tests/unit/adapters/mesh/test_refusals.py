"""`adapters.mesh.refusals`: what Zenoh 1.7.2 writes of links that were not made."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.adapters.mesh.refusals import LOG_FILTER, refusal_in, refusal_of
from trust_runtime.contracts.link_refusals import LinkFault, LinkSide

AT = "2026-11-25T01:10:53.360276Z "
TLS = AT + " WARN acc-0 ThreadId(05) zenoh_link_tls::unicast: "
HINT = ". Hint: increase the system open file limit."
ACCEPT = (
    AT + "DEBUG acc-0 ThreadId(05) zenoh_transport::unicast::establishment::accept: "
    "UsrPwd extension - "
)
DIAL = (
    AT + "DEBUG net-0 ThreadId(03) zenoh::net::runtime::orchestrator: Unable to connect to "
    "configured peer tls/plc-2:7502! "
)


@pytest.mark.parametrize(
    ("line", "fault", "by_them"),
    [
        (
            TLS + "invalid peer certificate: certificate expired: verification time 1795569053 "
            "(UNIX), but certificate is not valid after 1795568989 (64 seconds ago)" + HINT,
            LinkFault.EXPIRED,
            False,
        ),
        (TLS + "invalid peer certificate: UnknownIssuer" + HINT, LinkFault.UNKNOWN_CA, False),
        (TLS + "received fatal alert: UnknownCA" + HINT, LinkFault.UNKNOWN_CA, True),
        (TLS + "received fatal alert: BadCertificate" + HINT, LinkFault.BAD_CERTIFICATE, True),
        (TLS + "peer sent no certificates" + HINT, LinkFault.NO_CERTIFICATE, False),
        (
            TLS + "received corrupt message of type InvalidContentType" + HINT,
            LinkFault.NOT_TLS,
            False,
        ),
        (
            TLS + "peer is incompatible: SupportedVersionsExtensionRequired" + HINT,
            LinkFault.OLD_TLS,
            False,
        ),
        (
            AT + " WARN acc-0 ThreadId(05) zenoh_link_commons::tls::expiration: Closing TLS link "
            "127.0.0.1:7501 => 127.0.0.1:34032 : remote certificate chain expired",
            LinkFault.EXPIRED,
            False,
        ),
        (
            ACCEPT + "Recv OpenSyn. Invalid password. at /x/usrpwd.rs:424.",
            LinkFault.WRONG_TOKEN,
            False,
        ),
        (
            ACCEPT + "Recv InitSyn. Expected extension. at /x/usrpwd.rs:380.",
            LinkFault.WRONG_TOKEN,
            False,
        ),
    ],
)
def test_who_came_and_was_refused(line: str, fault: LinkFault, *, by_them: bool) -> None:
    refusal = refusal_in(line)
    assert refusal is not None
    assert (refusal.side, refusal.fault, refusal.address) == (LinkSide.ACCEPT, fault, None)
    assert "Hint" not in refusal.detail
    assert "/x/" not in refusal.detail
    assert refusal.by_them is by_them


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "Can not create a new TLS link bound to X: invalid peer certificate: certificate not "  # noqa: ISC004 - one text
            'valid for name "127.0.0.1"; certificate is only valid for Y at /x/unicast.rs:1.',
            LinkFault.NAME_MISMATCH,
        ),
        (
            "received fatal alert: CertificateExpired at /x/unicast.rs:223.. Retry in 1s",
            LinkFault.EXPIRED,
        ),
        (
            "Received a close message (reason GENERIC) in response to an OpenSyn on: x at /x/y:1.",
            LinkFault.CLOSED,
        ),
    ],
)
def test_whom_we_went_to_and_why_there_is_no_link(text: str, fault: LinkFault) -> None:
    refusal = refusal_in(DIAL + text)
    assert refusal is not None
    assert (refusal.side, refusal.fault) == (LinkSide.CONNECT, fault)
    assert refusal.address == "plc-2:7502"


def test_colours_do_not_matter() -> None:
    line = (
        "\x1b[2m2026-11-25T01:10:53.360276Z\x1b[0m \x1b[33m WARN\x1b[0m acc-0 ThreadId(05) "
        "\x1b[2mzenoh_link_tls::unicast\x1b[0m\x1b[2m:\x1b[0m invalid peer certificate: "
        "UnknownIssuer" + HINT
    )
    refusal = refusal_in(line)
    assert refusal is not None
    assert refusal.fault is LinkFault.UNKNOWN_CA


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ready",
        TLS + "tls handshake eof" + HINT,
        DIAL + "plc-2:7502: Connection refused (os error 111) at /x/tcp.rs:96.",
        AT + "DEBUG net-0 ThreadId(03) zenoh::net::runtime::orchestrator: Successfully connected",
        ACCEPT.replace("UsrPwd extension - ", "") + "peer closed connection without sending TLS "
        "close_notify: https://docs.rs/rustls",
    ],
)
def test_other_lines_tell_of_no_refusal(line: str) -> None:
    assert refusal_in(line) is None


@given(st.text())
def test_any_line_is_taken(text: str) -> None:
    refusal_in(text)
    refusal_in(TLS + text)
    found = refusal_in(DIAL + text)
    assert found is None or len(found.detail) <= 240


def test_zenoh_is_not_asked_for_what_holds_passwords() -> None:
    asked = LOG_FILTER.split(",")
    assert asked[0] == "off"
    assert not [one for one in asked if "api" in one or one.startswith("zenoh=")]


def test_a_greeting_says_why_in_its_own_words() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "IP address mismatch, certificate is not valid for '127.0.0.1'."
    refusal = refusal_of(error, "127.0.0.1:1")
    assert refusal.fault is LinkFault.NAME_MISMATCH
    assert "127.0.0.1" in refusal.detail


def test_a_greeting_that_failed_otherwise_is_a_failed_handshake() -> None:
    refusal = refusal_of(ssl.SSLError(1, "something"), "127.0.0.1:1")
    assert refusal.fault is LinkFault.HANDSHAKE
