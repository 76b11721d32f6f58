"""Plants one security bug into every runtime that is started with this folder on PYTHONPATH.

Nothing of the product knows of it: without this folder the variables below mean nothing.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


class _Spoiling(Loader):
    """Loads a module as ever, then spoils it before anybody imports from it."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for line in BUG[module.__name__]:
            line(module)
        Path(os.environ["TRUST_PLANTED_MARK"]).touch()


class _Finder(MetaPathFinder):
    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name not in BUG:
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and found.loader is not None:
            found.loader = _Spoiling(found.loader)
        return found


if "trust_runtime" in sys.orig_argv and "run" in sys.orig_argv:
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from planted.bugs import BUGS

    sys.path.pop(0)
    BUG = BUGS[os.environ["TRUST_PLANTED_BUG"]].patches
    sys.meta_path.insert(0, _Finder())
