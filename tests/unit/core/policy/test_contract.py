"""`core.policy.contract`: checks 1 to 7 on the boundaries of contract 1.3, 1.4, 2.2 and 8.2."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from decision_samples import FACTS, GHOST, NEAR, ONLINE, READ, case_of, verdict
from trust_runtime.contracts.actions import TARGETS_MAX
from trust_runtime.contracts.decisions import CheckOutcome
from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import RuntimeId, SiteName
from trust_runtime.core.policy import contract
from trust_runtime.core.policy.case import Case, Finding

PASS, BAD = CheckOutcome.PASS, DenialCode.CONTRACT_VIOLATION
SITED = structs.replace(
    FACTS,
    own=RuntimeId("site-b/press-1"),
    site=SiteName("site-b"),
    peers={
        RuntimeId("site-b/oven-1"): ONLINE,
        RuntimeId("oven-1"): ONLINE,
        RuntimeId("oven-2"): ONLINE,
        RuntimeId("site-b/oven-3"): ONLINE,
        RuntimeId("press-1"): ONLINE,
    },
)


def texts(length_max: int) -> list[Any]:
    """Return rows for a text that is non-blank, bounded and free of control characters."""
    return [
        pytest.param("", BAD, id="empty"),
        pytest.param(" \t\u00a0", BAD, id="blank"),
        pytest.param("x", PASS, id="one character"),
        pytest.param("é" * length_max, PASS, id="as long as allowed"),
        pytest.param("x" * (length_max + 1), BAD, id="one too long"),
        pytest.param("a b", PASS, id="a space inside"),
        pytest.param("a\nb", BAD, id="a line break inside"),
        pytest.param("a\x00", BAD, id="NUL"),
        pytest.param("a\x7f", BAD, id="DEL"),
        pytest.param("a\x85", BAD, id="a control character beyond ASCII"),
    ]


def require(finding: Finding, wanted: CheckOutcome | DenialCode, remedy: str) -> None:
    """Assert what a check said, and which remedy it named if it denied."""
    assert verdict(finding) is wanted
    assert finding.as_check().remedy == (remedy if isinstance(wanted, DenialCode) else None)


@pytest.mark.parametrize(("text", "wanted"), texts(128))
def test_request_id(text: str, wanted: CheckOutcome | DenialCode) -> None:
    finding = contract.check_request_id(case_of(structs.replace(READ, request_id=text)))
    require(finding, wanted, "send a unique request_id of 1..128 characters")
    assert contract.is_request_id(text) is (wanted is PASS)


@pytest.mark.parametrize(("text", "wanted"), texts(256))
def test_actor(text: str, wanted: CheckOutcome | DenialCode) -> None:
    finding = contract.check_actor(case_of(structs.replace(READ, actor=text)))
    require(finding, wanted, "name the actor")
    assert contract.is_actor(text) is (wanted is PASS)


@pytest.mark.parametrize(
    ("text", "wanted", "newer"),
    [
        pytest.param("1.0", PASS, False, id="ours"),
        pytest.param(" 1.0\n", PASS, False, id="ours, to be trimmed"),
        pytest.param("1.1", PASS, True, id="the next minor"),
        pytest.param("1.7", PASS, True, id="a newer minor"),
        pytest.param("1.65535", PASS, True, id="the greatest minor"),
        pytest.param("1.65536", BAD, False, id="beyond the greatest minor"),
        pytest.param("1.100000", BAD, False, id="six digits"),
        pytest.param("0.9", BAD, False, id="an older major"),
        pytest.param("2.0", BAD, False, id="a newer major"),
        pytest.param("2.1", BAD, False, id="a newer major and minor"),
        pytest.param("65536.0", BAD, False, id="beyond the greatest major"),
        pytest.param("1", BAD, False, id="no minor"),
        pytest.param("1.", BAD, False, id="a minor without digits"),
        pytest.param("1.0.0", BAD, False, id="three parts"),
        pytest.param("v1.0", BAD, False, id="a letter"),
        pytest.param("1.-1", BAD, False, id="a sign"),
        pytest.param("1. 0", BAD, False, id="a space inside"),
        pytest.param("1.\u0660", BAD, False, id="digits of another script"),
        pytest.param("", BAD, False, id="empty"),
    ],
)
def test_api_version(text: str, wanted: CheckOutcome | DenialCode, *, newer: bool) -> None:
    finding = contract.check_api_version(case_of(structs.replace(READ, api_version=text)))
    require(finding, wanted, "send api_version 1.0")
    assert contract.is_supported(text) is (wanted is PASS)
    assert contract.is_newer_minor(text) is newer


@given(major=st.integers(0, 99_999), minor=st.integers(0, 99_999))
def test_every_minor_of_our_major_is_supported_and_nothing_else(major: int, minor: int) -> None:
    text = f"{major}.{minor}"
    assert contract.is_supported(text) is (major == 1 and minor <= 65_535)
    assert contract.is_newer_minor(text) is (contract.is_supported(text) and minor > 0)


@pytest.mark.parametrize(
    ("sited", "via", "wanted"),
    [
        pytest.param(False, "press-1", PASS, id="the canonical id"),
        pytest.param(False, "default-site/press-1", PASS, id="the long spelling"),
        pytest.param(False, "press-2", BAD, id="a peer"),
        pytest.param(False, "Press-1", BAD, id="another case"),
        pytest.param(False, "site-b/press-1", BAD, id="the same name in another site"),
        pytest.param(False, "", BAD, id="empty"),
        pytest.param(False, "a/b/c", BAD, id="no id"),
        pytest.param(True, "site-b/press-1", PASS, id="the canonical id in a site"),
        pytest.param(True, "press-1", BAD, id="a bare name that two runtimes have"),
        pytest.param(True, "oven-3", BAD, id="a bare name of another"),
    ],
)
def test_connected_via(via: str, wanted: CheckOutcome | DenialCode, *, sited: bool) -> None:
    request = structs.replace(READ, connected_via=via)
    case = case_of(request, facts=SITED if sited else FACTS)
    require(contract.check_connected_via(case), wanted, "use the connected_via of GET state")


def test_a_bare_name_is_the_own_one_while_no_other_has_it() -> None:
    alone = structs.replace(SITED, peers={})
    finding = contract.check_connected_via(case_of(facts=alone))
    assert verdict(finding) is PASS


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(0, BAD), (1, PASS), (TARGETS_MAX, PASS), (TARGETS_MAX + 1, BAD)],
)
def test_number_of_targets(count: int, wanted: CheckOutcome | DenialCode) -> None:
    request = structs.replace(READ, target_runtimes=["press-2"] * count)
    finding = contract.check_targets(case_of(request, target="press-2"))
    require(finding, wanted, "name 1..256 targets")
    assert TARGETS_MAX == 256


@pytest.mark.parametrize(
    ("action_type", "wanted"),
    [
        ("status_read", PASS),
        ("cfg_apply", PASS),
        ("cmd_invoke", PASS),
        ("CFG_APPLY", BAD),
        ("config.write", BAD),
        (" cfg_apply", BAD),
        ("*", BAD),
        ("", BAD),
    ],
)
def test_action_type(action_type: str, wanted: CheckOutcome | DenialCode) -> None:
    finding = contract.check_action_type(case_of(structs.replace(READ, action_type=action_type)))
    require(finding, wanted, "use cfg_apply, status_read, cmd_invoke")


@pytest.mark.parametrize(
    ("sited", "text", "target"),
    [
        pytest.param(False, "press-2", "press-2", id="a bare name without sites"),
        pytest.param(False, "default-site/press-2", "press-2", id="the long spelling"),
        pytest.param(False, "press-9", "press-9", id="nobody known"),
        pytest.param(False, "a/b/c", None, id="two slashes"),
        pytest.param(False, "", None, id="empty"),
        pytest.param(False, "..", None, id="a parent folder"),
        pytest.param(False, "press 2", None, id="a space"),
        pytest.param(False, "x" * 128, "x" * 128, id="as long as allowed"),
        pytest.param(False, "x" * 129, None, id="one too long"),
        pytest.param(True, "site-b/oven-1", "site-b/oven-1", id="the canonical id"),
        pytest.param(True, "oven-1", None, id="a bare name that two runtimes have"),
        pytest.param(True, "oven-2", "oven-2", id="a bare name only the default site has"),
        pytest.param(True, "oven-3", "site-b/oven-3", id="a bare name only the own site has"),
        pytest.param(True, "oven-9", "site-b/oven-9", id="a bare name nobody has"),
        pytest.param(True, "default-site/oven-1", "oven-1", id="the long spelling settles it"),
    ],
)
def test_target_id(text: str, target: str | None, *, sited: bool) -> None:
    case = case_of(target=text, facts=SITED if sited else FACTS)
    finding = contract.check_target_id(case)
    assert case.target == target
    assert verdict(finding) is (BAD if target is None else PASS)
    remedy = finding.as_check().remedy
    assert (remedy or "").startswith("write the canonical id") is (target is None)


def test_the_remedy_of_an_ambiguous_name_has_both_long_forms() -> None:
    remedy = contract.check_target_id(case_of(target="oven-1", facts=SITED)).as_check().remedy
    assert remedy == "write the canonical id: site-b/oven-1 or default-site/oven-1"


CHECKS: list[Callable[[Case], Finding]] = [
    contract.check_request_id,
    contract.check_actor,
    contract.check_api_version,
    contract.check_connected_via,
    contract.check_action_type,
    contract.check_target_id,
]


@given(text=st.text(max_size=20), check=st.sampled_from(CHECKS))
def test_no_text_makes_a_check_fail_otherwise_than_by_denying(
    text: str, check: Callable[[Case], Finding]
) -> None:
    request = structs.replace(
        READ,
        api_version=text,
        request_id=text,
        connected_via=text,
        target_runtimes=[text],
        actor=text,
        action_type=text,
    )
    finding = check(case_of(request))
    assert verdict(finding) in (PASS, BAD)


def test_what_the_peers_are_changes_no_canonical_id() -> None:
    for facts in (FACTS, structs.replace(FACTS, peers={})):
        assert case_of(target=NEAR, facts=facts).target == NEAR
        assert case_of(target=GHOST, facts=facts).target == GHOST
