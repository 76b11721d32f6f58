"""What `config diff` compares: desired and reported, two revisions, or two runtimes."""

from typing import Any, Final

import click
from msgspec import Struct

from trust_runtime.cli.options import printable
from trust_runtime.cli.tables import table
from trust_runtime.client import Client
from trust_runtime.contracts.codec import REDACTED, encode_json
from trust_runtime.contracts.config import REVISION_MAX, ConfigView
from trust_runtime.core.config.diff import KeyDifference, differences

_DESIRED: Final = "desired"
_REPORTED: Final = "reported"


class Comparison(Struct, frozen=True, kw_only=True):
    """Two documents and where they differ."""

    compared: tuple[str, str]
    """Their names, the older or other one first."""

    differences: tuple[KeyDifference, ...]
    """Ascending by key."""

    uncompared: tuple[str, ...] = ()
    """Secrets both have: whether they are equal cannot be seen from here."""


def compare(
    client: Client, view: ConfigView, *, target: str | None, against: str | None
) -> Comparison:
    """Return how a runtime's configuration differs from what `against` names.

    Args:
        client: reaches the runtime.
        view: its documents as they are now.
        target: the runtime as it was named; None for the connected one.
        against: a revision, a runtime, or None for what it reports of itself.

    Raises:
        click.UsageError: `against` is blank or no number that a revision can have.
        Refused: the revision is not kept, or the other runtime does not answer.
    """
    if against is None:
        return _compared((_DESIRED, view.desired), (_REPORTED, view.reported))
    if against.isascii() and against.isdigit():
        newest = view.meta.desired_revision
        return _compared(_revision(client, int(against), target), _revision(client, newest, target))
    if not against.strip():
        raise click.UsageError("--against is blank: write a revision or the id of a runtime.")
    other = client.config(against)
    if other.runtime_id == view.runtime_id:
        raise click.UsageError(f"--against {against!r}: that is the runtime itself.")
    hidden = (key for key, value in view.effective.items() if value == REDACTED)
    return Comparison(
        compared=(other.runtime_id, view.runtime_id),
        differences=differences(
            {other.runtime_id: other.effective, view.runtime_id: view.effective}
        ),
        uncompared=tuple(sorted(key for key in hidden if other.effective.get(key) == REDACTED)),
    )


def comparison_lines(found: Comparison) -> list[str]:
    """Return a comparison as text."""
    first, second = found.compared
    if not found.differences:
        same = "reported is as desired" if second == _REPORTED else f"{second} is as {first}"
        lines = [printable(same)]
    else:
        rows = [
            (one.key, _of(one.values, first), _of(one.values, second)) for one in found.differences
        ]
        lines = table(("key", first, second), rows)
    if found.uncompared:
        lines.append(f"not compared, as they are secret: {', '.join(found.uncompared)}")
    return lines


def state_line(view: ConfigView) -> str:
    """Return how the newest desired revision does."""
    text = f"{view.runtime_id}: {view.status.state.replace('_', ' ')}"
    text += f", desired revision {view.meta.desired_revision}"
    text += f", reported {view.meta.reported_revision}"
    for error in view.status.errors:
        text += f"\n  {printable(error)}"
    return text


def _compared(first: tuple[str, dict[str, Any]], second: tuple[str, dict[str, Any]]) -> Comparison:
    return Comparison(
        compared=(first[0], second[0]), differences=differences(dict((first, second)))
    )


def _revision(client: Client, number: int, target: str | None) -> tuple[str, dict[str, Any]]:
    """Return name and document of a revision; each secret stands there as its last change."""
    if number > REVISION_MAX:
        raise click.UsageError(f"--against {number}: no revision can have that number.")
    name = f"revision {number}"
    if number == 0:
        return name, {}
    (item,) = client.config_history(target, revision=number).items
    marks = {key: f"<redacted:{changed}>" for key, changed in (item.secret_revisions or {}).items()}
    return name, {**(item.document or {}), **marks}


def _of(values: dict[str, Any], name: str) -> str:
    return encode_json(values[name]).decode() if name in values else "-"
