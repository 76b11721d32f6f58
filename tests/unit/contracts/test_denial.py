"""`contracts.denial`: contract 8.4."""

import pytest

from trust_runtime.contracts.denial import STANDARD_REMEDY, DenialCode, deny

REMEDIES = {
    "not_configured": "complete the set-up named, then retry",
    "contract_violation": "correct the request as described",
    "schema_mismatch": "read the target's schema and rebuild the request",
    "permission_denied": "obtain the role or rule named",
    "timeout": "ask again with the same request_id",
    "peer_not_available": "check the id",
    "transport_failure": "check mesh, TLS material and disk",
    "stale_data": "wait until it is online again",
    "conflict": "read the present state and decide again",
    "acl_denied_cfg_write": "obtain role engineer or admin as named",
    "target_unreachable": "start it, check discovery and mesh.connect",
    "revision_conflict": "rebase on the current desired document",
    "lease_unavailable": "restore the lease store or wait for a holder",
    "overloaded": "retry after the time given",
}


def test_the_fourteen_codes_and_their_remedies_are_those_of_the_contract() -> None:
    assert {code.value: STANDARD_REMEDY[code] for code in DenialCode} == REMEDIES
    assert len(STANDARD_REMEDY) == 14


@pytest.mark.parametrize("code", DenialCode)
def test_a_denial_without_a_remedy_of_its_own_has_the_standard_one(code: DenialCode) -> None:
    denial = deny(code, "press-1 is not there")
    assert (denial.code, denial.reason) == (code, "press-1 is not there")
    assert denial.remedy == REMEDIES[code.value]
    assert denial.retry_after_ms is None


@pytest.mark.parametrize("remedy", ["start press-1", ""])
def test_a_remedy_that_is_given_stays(remedy: str) -> None:
    denial = deny(DenialCode.OVERLOADED, "full", remedy, retry_after_ms=250)
    assert (denial.remedy, denial.retry_after_ms) == (remedy, 250)
