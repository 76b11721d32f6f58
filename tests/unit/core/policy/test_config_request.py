"""`core.policy.config_request`: what is checked before any decision (contract 6.11)."""

from typing import Any

import pytest

from trust_runtime.contracts.denial import DenialCode
from trust_runtime.contracts.ids import SiteName
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.core.policy.config_request import (
    keys_denial,
    request_denial,
    role_denial,
    scope_denial,
)

FITS = ("1.0", "anna", "r")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (FITS, None),
        (("1.7", "anna", None), None),
        (("1.0", "a" * 256, "r" * 128), None),
        (("2.0", "anna", "r"), "2.0"),
        (("", "anna", "r"), "api_version"),
        (("1.0", " ", "r"), "actor"),
        (("1.0", "a" * 257, "r"), "actor"),
        (("1.0", "anna", ""), "request_id"),
        (("1.0", "anna", "r" * 129), "request_id"),
        (("2.0", "", ""), "api_version"),
        (("1.0", "", ""), "actor"),
    ],
)
def test_version_actor_and_request_id_in_this_order(
    asked: tuple[str, str, str | None], named: str | None
) -> None:
    denial = request_denial(*asked)
    assert (denial is None) == (named is None)
    if denial is not None and named is not None:
        assert denial.code is DenialCode.CONTRACT_VIOLATION
        assert named in denial.reason
        assert denial.remedy


@pytest.mark.parametrize(
    ("actor", "scope", "allowed"),
    [
        ("spiffe://trust/site-b/x", None, True),
        ("spiffe://trust/site-b/x", ("site-b",), True),
        ("spiffe://trust/site-b/x", ("site-a",), False),
        ("spiffe://trust/site-b/x", (), False),
        ("anna", (), True),
    ],
)
def test_an_actor_outside_the_scope(
    actor: str, scope: tuple[str, ...] | None, *, allowed: bool
) -> None:
    sites = None if scope is None else tuple(map(SiteName, scope))
    denial = scope_denial(actor, Caller(identity="token://x", role=Role.ADMIN, scope=sites))
    assert (denial is None) == allowed
    if denial is not None:
        assert denial.code is DenialCode.PERMISSION_DENIED
        assert "site-b" in denial.reason


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({}, ()),
        ({"log.level": "loud"}, ()),
        ({"log.levl": 1, "resource.name": "x"}, ("log.level", "runtime.toml")),
    ],
)
def test_keys_are_checked_and_values_are_not(patch: dict[str, Any], named: tuple[str, ...]) -> None:
    denial = keys_denial(patch)
    assert (denial is None) == (not named)
    if denial is not None:
        assert denial.code is DenialCode.CONTRACT_VIOLATION
        assert all(name in denial.reason for name in named)


@pytest.mark.parametrize(
    ("patch", "role", "needed"),
    [
        ({"log.level": "warn"}, Role.ENGINEER, None),
        ({"log.level": "warn"}, Role.OPERATOR, "engineer"),
        ({"web.enabled": False}, Role.ADMIN, None),
        ({"web.enabled": False}, Role.ENGINEER, "admin"),
        ({}, Role.ENGINEER, None),
        ({}, Role.VIEWER, "engineer"),
    ],
)
def test_the_role_of_the_keys(patch: dict[str, Any], role: Role, needed: str | None) -> None:
    denial = role_denial(patch, role)
    assert (denial is None) == (needed is None)
    if denial is not None:
        assert denial.code is DenialCode.ACL_DENIED_CFG_WRITE
        assert f"requires role {needed}" in denial.reason
