"""`pki init`, `issue`, `renew`, `revoke`, bundles and lists, as typed: contract 2.5."""

import json
from pathlib import Path

import pytest

from command_line import CommandLine
from trust_runtime.adapters.files.project import ProjectTemplate, create_project

SECRET = "PRIVATE"  # noqa: S105 - what a printed key would have in it


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """Return a project of site-a that wants its certificates in `certs`."""
    folder = tmp_path / "press-1"
    create_project(folder, ProjectTemplate(name="press-1", site="site-a"))
    file = folder / "runtime.toml"
    paths = (
        'cert_path = "./certs/runtime.crt"\n'
        'key_path = "./certs/runtime.key"\n'
        'ca_path = "./certs/ca.crt"\n'
    )
    written = file.read_text().replace("[runtime.tls]\n", f"[runtime.tls]\n{paths}")
    assert paths in written
    file.write_text(written)
    return folder


@pytest.fixture
def ca(command: CommandLine, tmp_path: Path) -> Path:
    folder = tmp_path / "ca"
    assert command("pki", "init", "--site", "site-a", "--ca", folder).code == 0
    return folder


def test_init_says_what_it_wrote_and_what_comes_next(command: CommandLine) -> None:
    ran = command("pki", "init", "--site", "site-a")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("CA of spiffe://trust/site-a, valid until 20")
    assert "wrote         pki/site-a/ca.crt\n" in ran.out
    assert "next: trust-runtime pki issue --ca pki/site-a --project DIR" in ran.out
    again = command("pki", "init", "--site", "site-a")
    assert (again.code, again.out) == (1, "")
    assert "ca.key is there already" in again.err


def test_issue_writes_everywhere_and_prints_no_key(
    command: CommandLine, plant: Path, ca: Path
) -> None:
    ran = command("pki", "issue", "--ca", ca, "--project", plant, "--host", "plc7")
    assert (ran.code, ran.err) == (0, "")
    for name in (".trust/identity/runtime.key", "certs/runtime.crt", "certs/ca.crt"):
        assert f"wrote         {plant / name}\n" in ran.out
    assert "localhost, 127.0.0.1, ::1, " in ran.out
    assert ", plc7\n" in ran.out
    shown = command("pki", "show", "--project", plant)
    assert "bundle        site-a  until 20" in shown.out
    as_json = json.loads(command("pki", "show", "--project", plant, "--json").out)
    assert [bundle["site"] for bundle in as_json["bundles"]] == ["site-a"]
    assert SECRET not in ran.out + shown.out


def test_a_project_that_never_ran_gets_its_certificate(
    command: CommandLine, plant: Path, ca: Path
) -> None:
    (plant / "io.toml").unlink()
    ran = command("pki", "issue", "--ca", ca, "--project", plant)
    assert (ran.code, ran.err) == (0, "")


def test_renew_keeps_the_key_and_says_when_not(command: CommandLine, plant: Path, ca: Path) -> None:
    at = ["--ca", ca, "--project", plant]
    refused = command("pki", "renew", *at)
    assert refused.code == 1
    assert "has no identity to renew" in refused.err
    command("pki", "issue", *at)
    key = (plant / "certs/runtime.key").read_bytes()
    assert "renewed spiffe://trust/site-a/press-1" in command("pki", "renew", *at).out
    assert (plant / "certs/runtime.key").read_bytes() == key
    ran = command("pki", "renew", *at, "--new-key", "--days", "30")
    assert "peers in profile dev must pin it" in ran.out
    assert (plant / "certs/runtime.key").read_bytes() != key


def test_a_key_stays_on_its_machine_in_three_steps(
    command: CommandLine, plant: Path, ca: Path, tmp_path: Path
) -> None:
    csr, crt, bundle = tmp_path / "r.csr", tmp_path / "r.crt", tmp_path / "a.pem"
    one = command("pki", "issue", "--project", plant, "--csr-out", csr)
    two = command("pki", "issue", "--ca", ca, "--csr", csr, "--out", crt)
    command("pki", "export-bundle", "--ca", ca, "--out", bundle)
    three = command("pki", "issue", "--project", plant, "--cert", crt, "--ca-cert", bundle)
    assert (one.code, two.code, three.code) == (0, 0, 0)
    assert "installed spiffe://trust/site-a/press-1" in three.out
    assert SECRET not in one.out + two.out + three.out + csr.read_text() + crt.read_text()


def test_the_revoked_are_listed_and_the_list_goes_round(
    command: CommandLine, plant: Path, ca: Path, tmp_path: Path
) -> None:
    command("pki", "issue", "--ca", ca, "--project", plant)
    out = tmp_path / "a.crl"
    ran = command("pki", "revoke", "--ca", ca, "site-a/press-1")
    assert ran.out.startswith("revoked       site-a/press-1  serial ")
    assert "pki import-crl --project DIR FILE" in ran.out
    assert command("pki", "export-crl", "--ca", ca, "--out", out).code == 0
    ran = command("pki", "import-crl", "--project", plant, out)
    assert ran.out == f"site-a: 1 revoked by {plant / '.trust/identity/ca.crl'}\n"
    assert ", 1 revoked  " in command("pki", "show", "--project", plant).out
    assert command("pki", "export-crl", "--project", plant).out == out.read_text()
    ran = command("pki", "import-crl", "--project", plant, "--remove")
    assert ran.out == f"site-a: removed {plant / '.trust/identity/ca.crl'}\n"
    assert command("pki", "revoke", "--ca", ca, "press-9").code == 1


def test_another_site_is_trusted_and_no_longer(
    command: CommandLine, plant: Path, tmp_path: Path
) -> None:
    command("pki", "init", "--site", "site-b", "--ca", tmp_path / "b")
    bundle, at = tmp_path / "b.pem", ["pki", "import-bundle", "--project", plant, "--site"]
    bundle.write_text(command("pki", "export-bundle", "--ca", tmp_path / "b").out)
    place = plant / ".trust/federation/site-b.pem"
    assert command(*at, "site-b", bundle).out == f"site-b: trusted by {place}\n"
    for site, told in (("site-a", "is the own site"), ("site-c", "not for spiffe://trust/site-c")):
        ran = command(*at, site, bundle)
        assert (ran.code, ran.out) == (1, "")
        assert told in ran.err
    assert command(*at, "site-b", "--remove").out == f"site-b: removed {place}\n"
    assert not place.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["init"], "Missing option '--site'"),
        (["init", "--site", "a/b"], "allowed: letters"),
        (["init", "--site", "a", "--days", "0"], "--days"),
        (["issue"], "Missing option '--ca'"),
        (["issue", "--csr", "a"], "Give --csr-out, or --csr with --out"),
        (["issue", "--cert", "a"], "or --cert with --ca-cert"),
        (["issue", "--csr-out", "a", "--cert", "a", "--ca-cert", "a"], "Give --csr-out"),
        (["issue", "--csr-out", "a", "--ca", "a"], "--ca does not go with"),
        (["issue", "--ca", "a", "--host", "*"], "without wildcard"),
        (["revoke", "x"], "Missing option '--ca'"),
        (["import-crl"], "Give either FILE or --remove."),
        (["export-bundle", "--ca", "a", "--project", "b"], "Give either --ca or --project."),
        (["import-bundle", "--site", "a/b", "file"], "allowed: letters"),
    ],
)
def test_wrong_usage_is_code_2_and_makes_nothing(
    command: CommandLine, plant: Path, ca: Path, arguments: list[str], told: str
) -> None:
    before = sorted(plant.rglob("*"))
    arguments = [str(ca) if one == "a" and arguments[0] == "issue" else one for one in arguments]
    more = [] if arguments[0] in ("init", "revoke", "export-bundle") else ["--project", plant]
    ran = command("pki", *arguments, *more)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert sorted(plant.rglob("*")) == before


def test_show_says_what_makes_an_identity_unfit(
    command: CommandLine, plant: Path, ca: Path, tmp_path: Path
) -> None:
    command("pki", "issue", "--ca", ca, "--project", plant)
    assert "unfit" not in command("pki", "show", "--project", plant).out
    command("pki", "revoke", "--ca", ca, "press-1")
    out = tmp_path / "a.crl"
    command("pki", "export-crl", "--ca", ca, "--out", out)
    command("pki", "import-crl", "--project", plant, out)
    ran = command("pki", "show", "--project", plant)
    assert "unfit         certificate " in ran.out
    assert "is revoked by the CA of its site" in ran.out


def test_a_key_that_others_may_read_is_not_used(
    command: CommandLine, plant: Path, ca: Path
) -> None:
    command("pki", "issue", "--ca", ca, "--project", plant)
    key = plant / ".trust/identity/runtime.key"
    key.chmod(0o644)
    ran = command("pki", "renew", "--ca", ca, "--project", plant)
    assert ran.code == 10
    assert f"chmod 600 {key}" in ran.err
