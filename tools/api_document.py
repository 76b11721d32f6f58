"""Write the API document that is kept in the repository, for readers and for their diffs.

    python tools/api_document.py

Run it after a change of the route table or of a contract; a test compares.
"""

from pathlib import Path
from typing import Final

import msgspec

from trust_runtime.adapters.http.openapi import build_openapi, undescribed
from trust_runtime.adapters.http.table import ROUTES
from trust_runtime.contracts.codec import encode_json

KEPT: Final = Path(__file__).parent.parent / "docs" / "reference" / "openapi.json"


def document() -> bytes:
    """Return the document as it is kept: the bytes of the API, with line breaks."""
    return msgspec.json.format(encode_json(build_openapi(ROUTES)), indent=2) + b"\n"


def main() -> int:
    """Write it, unless the table leaves something out."""
    missing = undescribed(ROUTES)
    for one in missing:
        print(one)
    if not missing:
        KEPT.write_bytes(document())
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
