"""Every command in the documents does what the document says (README, guides, example packs)."""

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from doc_blocks import Reader, parse_blocks

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "README.md",
        "docs/guides/*.md",
        "docs/reference/pki.md",
        "examples/*/README.md",
    )
    for path in ROOT.glob(pattern)
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_runs_as_written(name: str, tmp_path: Path) -> None:
    for tool in ("bash", "curl", "jq"):
        assert shutil.which(tool), f"the documents need {tool}"
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"

    with Reader(cwd=ROOT, home=tmp_path, path=path) as reader:
        reader.follow((ROOT / name).read_text("utf-8"))


def test_the_documents_have_commands() -> None:
    assert "README.md" in DOCUMENTS
    assert "docs/guides/RUNTIME_CLOUD_QUICKSTART.md" in DOCUMENTS
    for name in DOCUMENTS:
        assert parse_blocks((ROOT / name).read_text("utf-8")), f"{name} has no bash block"
