"""`contracts.policy`: contract 6.3, 9.1, 9.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_runtime.contracts.codec import convert, to_plain
from trust_runtime.contracts.errors import ContractViolation
from trust_runtime.contracts.policy import AllowRule, Profile, Role, allows, lower

ORDER = ["viewer", "operator", "engineer", "admin"]
ROLES = st.sampled_from(Role)


def test_roles_and_profiles_in_their_order() -> None:
    assert [role.value for role in Role] == ORDER
    assert [profile.value for profile in Profile] == ["dev", "plant", "wan"]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("needed", Role)
def test_a_role_includes_itself_and_those_before_it(role: Role, needed: Role) -> None:
    assert allows(role, needed) == (ORDER.index(role) >= ORDER.index(needed))


@given(first=ROLES, second=ROLES, needed=ROLES)
def test_the_lower_role_may_only_what_both_may(first: Role, second: Role, needed: Role) -> None:
    assert lower(first, second) is lower(second, first)
    assert allows(lower(first, second), needed) == (
        allows(first, needed) and allows(second, needed)
    )


def test_the_origin_of_a_rule_is_called_from_and_defaults_to_everybody() -> None:
    rule = convert({"action": "cfg_apply", "target": "site-b/*"}, AllowRule)
    assert (rule.action, rule.target, rule.origin) == ("cfg_apply", "site-b/*", "*")
    given_from = convert({"action": "*", "target": "a", "from": "b"}, AllowRule)
    assert given_from.origin == "b"
    assert to_plain(given_from) == {"action": "*", "target": "a", "from": "b"}


@pytest.mark.parametrize("known_only", [True, False])
@pytest.mark.parametrize("name", ["origin", "fron", "role"])
def test_a_member_no_rule_has_is_always_refused(name: str, *, known_only: bool) -> None:
    with pytest.raises(ContractViolation, match=name):
        convert({"action": "*", "target": "a", name: "b"}, AllowRule, known_only=known_only)
