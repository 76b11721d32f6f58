"""A sealed receipt over real processes: it lets its own dispatch pass, and nothing that moved."""

import json

from runtimes import Plant

WRITE = ("cfg_apply", "--target", "runtime-b", "--param")


def test_a_dispatch_is_held_to_its_preflight(here: Plant) -> None:
    first, second = here.pair()
    file = first.folder / "receipt.json"
    kept = ("--receipt", str(file))
    asked = first.cli("actions", "preflight", *WRITE, "log.level=debug", *kept)
    assert asked.returncode == 0, asked.stderr
    assert f"receipt: {file}, good for 5 minutes" in asked.stdout

    other = first.cli("actions", "dispatch", *WRITE, "log.level=error", *kept)
    assert other.returncode == 1
    assert "the receipt is for another request" in other.stdout

    done = first.cli("actions", "dispatch", *WRITE, "log.level=debug", *kept)
    assert done.returncode == 0, done.stdout
    request_id = json.loads(file.read_text())["facts"]["request_id"]
    assert f"ok: request {request_id}" in done.stdout

    # Its own effect has moved the facts: once is what it was good for.
    again = first.cli("actions", "dispatch", *WRITE, "log.level=debug", *kept)
    assert again.returncode == 1
    assert "moved: config_revision of runtime-b: 0 -> 1 (seen by the " in again.stdout
    told = first.cli("audit", "list", "--request-id", request_id, "--json")
    assert '"executed"' in told.stdout

    sealed = json.loads(file.read_text())
    sealed["facts"]["targets"][0]["known"]["config_revision"] = 1
    file.write_text(json.dumps(sealed))
    forged = first.cli("actions", "dispatch", *WRITE, "log.level=debug", *kept)
    assert forged.returncode == 1
    assert "the facts of the receipt are not those sealed" in forged.stdout
    status, config = second.get("/api/runtime-cloud/config")
    assert (status, config["meta"]["desired_revision"]) == (200, 1)


def test_what_is_denied_gets_no_receipt(here: Plant) -> None:
    first = here.runtime("runtime-a").start()
    file = first.folder / "receipt.json"
    refused = first.cli(
        "actions", "preflight", "status_read", "--target", "ghost", "--receipt", str(file)
    )
    assert refused.returncode == 1
    assert "no receipt: what is denied gets none" in refused.stdout
    assert "allowed after:" in refused.stdout
    assert not file.exists()
    unread = first.cli(
        "actions", "dispatch", "status_read", "--target", "ghost", "--receipt", str(file)
    )
    assert unread.returncode == 2
    assert "cannot read" in unread.stderr
