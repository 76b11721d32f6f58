from trust_runtime.bench.samples import peer_ids, peer_records
from trust_runtime.contracts.ids import parse_runtime_id


def test_every_peer_is_another_one_and_was_heard() -> None:
    records = peer_records(500, last_seen_ns=7)
    assert [record.runtime_id for record in records] == peer_ids(500)
    assert len({record.pin for record in records}) == 500
    assert all(parse_runtime_id(record.runtime_id) == record.runtime_id for record in records)
    assert {record.last_seen_ns for record in records} == {7}
    assert all(record.status is not None for record in records)
