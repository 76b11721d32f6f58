"""`cli.commands_actions`: what is said of a dispatch."""

from msgspec import structs

from action_row_samples import COMMAND, done, executed, refused
from trust_runtime.cli.commands_actions import row_lines
from trust_runtime.core.action_rows import note_reuse


def test_a_refused_reuse_is_said_below_the_dispatch_it_was_of() -> None:
    first = done(executed("press-2"))
    other = structs.replace(COMMAND, action_type="cfg_apply", actor="spiffe://trust/x/eve")
    noted = note_reuse(first, done(refused("press-2"), request=other))
    *lines, reuse = row_lines(noted.row)
    assert lines == row_lines(first.row)
    assert reuse == (
        "1 other request(s) under this id were refused, last cfg_apply by spiffe://trust/x/eve:"
        " conflict: still running (audit-press-2)"
    )
