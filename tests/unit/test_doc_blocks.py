"""`doc_blocks`: documents that keep their word pass, and each way of not keeping it is found."""

import os
from pathlib import Path

import pytest

import doc_blocks
from doc_blocks import BACKGROUND, INTERRUPT, RETRY, DocumentFailed, Reader, parse_blocks
from waiting import wait_until

SERVER = """
trap 'echo stopped > ~/NAME.end; exit CODE' INT
echo $$ > ~/NAME.pid
echo ready
while :; do sleep 0.02; done
"""


def _block(script: str, *, run: str = "", expect: str = "") -> str:
    before = f"<!-- run: {run} -->\n" if run else ""
    after = f"\n<!-- expect: {expect} -->\n" if expect else "\n"
    return f"{before}```bash\n{script.strip()}\n```{after}\n"


def _server(name: str, run: str, code: int = 0) -> str:
    return _block(SERVER.replace("NAME", name).replace("CODE", str(code)), run=run)


def _follow(text: str, tmp_path: Path) -> None:
    cwd = tmp_path / "checkout"
    home = tmp_path / "home"
    cwd.mkdir()
    home.mkdir()
    with Reader(cwd=cwd, home=home, path=os.environ["PATH"]) as reader:
        reader.follow(text)


def _is_gone(pid_file: Path) -> bool:
    return not Path(f"/proc/{pid_file.read_text().strip()}").exists()


def test_a_whole_document(tmp_path: Path) -> None:
    _follow(
        "# Guide\n\nFirst:\n\n"
        + _server("first", INTERRUPT)
        + "Then, in a terminal:\n\n"
        + _server("second", BACKGROUND)
        + _block("test -e ~/first.end; test ! -e ~/second.end; pwd > ~/cwd")
        + _block("""echo '{"nodes": ["a", "b"]}'""", expect='.nodes | index("b")')
        + _block("echo chatter >&2; echo 1", expect=". == 1")
        + "Not for running:\n\n```console\n$ exit 1\n```\n",
        tmp_path,
    )
    home = tmp_path / "home"
    assert (home / "cwd").read_text().strip() == str(tmp_path / "checkout")
    assert (home / "second.end").exists(), "Ctrl+C came at the end of the document"
    assert _is_gone(home / "second.pid")


def test_a_look_that_comes_too_early_is_repeated(tmp_path: Path) -> None:
    look = "echo x >> ~/looks; wc -l < ~/looks"
    _follow(_block(look, run=RETRY, expect=". == 3"), tmp_path)
    assert (tmp_path / "home/looks").read_text() == "x\n" * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(_block("false; echo on"), "line 1: ended with 1", id="a command fails"),
        pytest.param(_block("false | cat"), "ended with 1", id="a command in a pipe fails"),
        pytest.param(_block("echo $unset_name"), "unbound variable", id="unset variable"),
        pytest.param(_block("echo 1", expect=". == 2"), "expected . == 2", id="expectation"),
        pytest.param(_block("echo no", expect="."), "expected .", id="no JSON at all"),
        pytest.param(_block("exit 0", run=INTERRUPT), "was not ready", id="ends unready"),
        pytest.param(_block("exit 0", run=BACKGROUND), "was not ready", id="ends at once"),
        pytest.param(_server("a", INTERRUPT, 3), "ended with 3 after Ctrl+C", id="bad stop"),
        pytest.param(_server("a", BACKGROUND, 3), "ended with [3]", id="bad stop at the end"),
        pytest.param(
            _block("echo ready; read -r < ~/go", run=BACKGROUND) + _block("true"),
            "ended early",
            id="background ends early",
        ),
    ],
)
def test_a_document_that_does_not_keep_its_word(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentFailed) as failed:
        _follow(text, tmp_path)
    assert message in str(failed.value)


def test_nothing_survives_a_failure(tmp_path: Path) -> None:
    stubborn = "trap '' INT; echo $$ > ~/pid; sleep 600 & echo $! > ~/child; echo ready; wait"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doc_blocks, "STOP_S_MAX", 0)
        with pytest.raises(DocumentFailed):
            _follow(_block(stubborn, run=BACKGROUND) + _block("false"), tmp_path)
    for name in ("pid", "child"):
        assert wait_until(lambda: _is_gone(tmp_path / "home" / name), within_s=5)  # noqa: B023 - used at once


def test_a_block_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doc_blocks, "BLOCK_S_MAX", 0.1)
    with pytest.raises(DocumentFailed, match="did not end within"):
        _follow(_block("sleep 600"), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!-- expect: . -->\n", id="expectation of nothing"),
        pytest.param("```bash\ntrue\n```\nprose\n<!-- expect: . -->\n", id="expectation too late"),
        pytest.param(f"<!-- run: {RETRY} -->\nprose\n```bash\ntrue\n```\n", id="run of prose"),
        pytest.param("<!-- run: sometimes -->\n```bash\ntrue\n```\n", id="unknown run"),
        pytest.param(f"```bash\ntrue\n```\n<!-- run: {RETRY} -->\n", id="run at the end"),
        pytest.param("```bash\ntrue\n", id="open fence"),
    ],
)
def test_no_comment_is_lost(text: str) -> None:
    with pytest.raises(DocumentFailed):
        parse_blocks(text)
