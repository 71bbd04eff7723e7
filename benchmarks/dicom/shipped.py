"""The files that pydicom ships and that its data package holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pydicom

PYDICOM = Path(pydicom.__file__).parent / "data"
_SPEC = importlib.util.find_spec("data_store")  # what the package pydicom-data installs
DATA_PACKAGE = Path(_SPEC.origin).parent / "data" if _SPEC and _SPEC.origin else None


def shipped_files() -> dict[str, Path]:
    """Return every file by a name that says its package: `pydicom/test_files/CT_small.dcm`.

    Of the pydicom-data package nothing is returned where it is not installed.
    """
    roots = {"pydicom": PYDICOM} | ({"pydicom-data": DATA_PACKAGE} if DATA_PACKAGE else {})
    return {
        f"{package}/{path.relative_to(root).as_posix()}": path
        for package, root in roots.items()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
