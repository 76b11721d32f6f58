"""`core.sight`: why a peer is not heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from trust_runtime.contracts.presence import Lifecycle
from trust_runtime.contracts.sight import Knock, Sight, SightEvidence
from trust_runtime.core.sight import decide_sight, describe_sight

HEARD = SightEvidence(lifecycle=Lifecycle.ONLINE)
LOST = SightEvidence(lifecycle=Lifecycle.STALE)
HAILED = {"hail_fresh": True}
CONFIRMED = {"hail_fresh": True, "hail_confirms": True}


@pytest.mark.parametrize(
    ("evidence", "changes", "sight"),
    [
        pytest.param(LOST, {"ever_heard": False}, Sight.NEVER, id="nothing signed, ever"),
        pytest.param(LOST, {"left_cleanly": True}, Sight.LEFT, id="said goodbye"),
        pytest.param(HEARD, {}, Sight.HEARD, id="online"),
        pytest.param(HEARD, HAILED, Sight.HEARD, id="online, whatever it hailed before"),
        pytest.param(LOST, {}, Sight.LOST, id="not examined yet"),
        pytest.param(LOST, {"knock": Knock.REFUSED}, Sight.DEAD, id="nobody listens"),
        pytest.param(LOST, {"knock": Knock.ACCEPTED}, Sight.FROZEN, id="only its host answers"),
        pytest.param(LOST, {"knock": Knock.SILENT}, Sight.CUT, id="nothing comes back"),
        pytest.param(LOST, HAILED, Sight.ONE_WAY, id="it hails, ours do not arrive"),
        pytest.param(LOST, CONFIRMED, Sight.UNLINKED, id="both directions work"),
        pytest.param(
            LOST,
            {"knock": Knock.SILENT, "observer_stalled": True},
            Sight.OBSERVER_STALLED,
            id="we stood still",
        ),
        pytest.param(
            LOST, {**CONFIRMED, "knock": Knock.REFUSED}, Sight.UNLINKED, id="its word beats a knock"
        ),
    ],
)
def test_the_strongest_evidence_decides(
    evidence: SightEvidence, changes: dict[str, object], sight: Sight
) -> None:
    assert decide_sight(structs.replace(evidence, **changes)) is sight


EVIDENCE = st.builds(
    SightEvidence,
    lifecycle=st.sampled_from(Lifecycle),
    left_cleanly=st.booleans(),
    ever_heard=st.booleans(),
    observer_stalled=st.booleans(),
    knock=st.none() | st.sampled_from(Knock),
    hail_fresh=st.booleans(),
    hail_confirms=st.booleans(),
)


@given(evidence=EVIDENCE)
def test_whoever_stood_still_accuses_nobody(evidence: SightEvidence) -> None:
    stalled = decide_sight(structs.replace(evidence, observer_stalled=True))
    assert stalled not in {Sight.DEAD, Sight.FROZEN, Sight.CUT, Sight.LOST}


@given(evidence=EVIDENCE)
def test_nobody_is_called_dead_or_frozen_without_an_answer_of_its_host(
    evidence: SightEvidence,
) -> None:
    sight = decide_sight(evidence)
    if sight is Sight.DEAD:
        assert evidence.knock is Knock.REFUSED
    if sight is Sight.FROZEN:
        assert evidence.knock is Knock.ACCEPTED
    if sight is Sight.HEARD:
        assert evidence.lifecycle is Lifecycle.ONLINE


@pytest.mark.parametrize("sight", Sight)
def test_every_conclusion_has_words(sight: Sight) -> None:
    assert describe_sight(sight).strip()
