"""The pair of a project as it is on disk: contract 2.3, 9.1."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pki_samples import NOW_S, ca_form, key_pem, leaf_form, make, pem
from trust_runtime.adapters.pki.identity_state import IdentityState, read_state
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.private_files import write_private
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.presence import TrustReason
from trust_runtime.core.trust import judge_own

PRESS = RuntimeId("site-a/press-1")
CA = ca_form("site-a")


@pytest.fixture
def layout(tmp_path: Path) -> IdentityLayout:
    """Return a project with a fit identity."""
    layout = IdentityLayout(folder=tmp_path)
    layout.home.mkdir(parents=True)
    write_private(layout.key, key_pem("leaf"))
    write_private(layout.certificate, pem(make(leaf_form(PRESS), CA)))
    write_private(layout.own_bundle, pem(make(CA)))
    return layout


def unfit(state: IdentityState) -> tuple[TrustReason, str] | None:
    found = judge_own(state.facts(), now_s=NOW_S)
    return None if found is None else (found.reason, found.detail)


def test_a_fit_pair_is_read_and_named(layout: IdentityLayout) -> None:
    state = read_state(layout, PRESS)
    facts = state.facts()
    assert unfit(state) is None
    assert facts.site == "site-a"
    assert facts.pin is not None
    assert facts.fingerprint == state.identity.fingerprint if state.identity else False
    assert facts.notes == ()
    assert "PRIVATE" not in repr(facts) + repr(state)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda it: it.key.unlink(), "runtime.key is missing"),
        (lambda it: it.certificate.unlink(), "runtime.crt is missing"),
        (lambda it: it.key.chmod(0o644), "has mode 0644"),
        (lambda it: write_private(it.key, b"x"), "runtime.key is damaged"),
        (lambda it: write_private(it.key, key_pem("other")), "does not belong to"),
        (lambda it: write_private(it.certificate, b"x"), "runtime.crt is damaged"),
        (lambda it: write_private(it.certificate, pem(make(leaf_form(PRESS, uris=()), CA))),
         "exactly one URI SAN"),
        (lambda it: it.own_bundle.unlink(), "no usable bundle of site-a is installed"),
        (lambda it: it.own_bundle.write_bytes(b"x"), "no usable bundle of site-a is installed"),
        (lambda it: write_private(it.own_bundle, pem(make(ca_form("site-a", key="other")))),
         "it was not signed by the CA of site-a"),
        (lambda it: write_private(it.certificate, pem(make(leaf_form(PRESS)))),
         "its issuer is not in the bundle of site-a"),
        (lambda it: write_private(it.certificate, pem(make(leaf_form("site-a/x"), CA))),
         "names site-a/x, not site-a/press-1"),
        (lambda it: write_private(it.certificate, pem(make(
            leaf_form(PRESS, ends_s=NOW_S - 1), CA))), "it expired 1 s ago"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_makes_it_unfit_and_stops_nothing(
    layout: IdentityLayout, break_it: Callable[[IdentityLayout], object], told: str
) -> None:
    before = sorted(path.name for path in layout.home.iterdir())
    break_it(layout)
    found = unfit(read_state(layout, PRESS))
    assert found is not None
    assert told in found[1]
    assert {path.name for path in layout.home.iterdir()} <= set(before)


def test_a_pair_that_does_not_fit_together_leaves_the_one_in_use(layout: IdentityLayout) -> None:
    before = read_state(layout, PRESS)
    write_private(layout.key, key_pem("new"))
    between = read_state(layout, PRESS, before=before)
    assert between.identity == before.identity
    assert unfit(between) is None
    assert "does not belong to" in between.facts().notes[0]
    write_private(layout.certificate, pem(make(leaf_form(PRESS, key="new"), CA)))
    after = read_state(layout, PRESS, before=between)
    assert after.facts().pin != before.facts().pin
    assert after.facts().notes == ()
