import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65_534


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """Give a folder this process cannot write in; root, who can everywhere, acts as nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        own = os.geteuid()
        if own == 0:
            os.seteuid(NOBODY)
        yield folder
        os.seteuid(own)
        folder.chmod(0o700)
