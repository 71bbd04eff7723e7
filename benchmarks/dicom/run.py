"""Compares the app's DICOM rendering with DCMTK's: `python -m benchmarks.dicom.run`.

Needs DCMTK (`apt-get install dcmtk`) and the package pydicom-data. Takes a minute or two. Writes
docs/results/reliability/dicom.json and docs/dicom_conformance.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.dicom import dcmtk
from benchmarks.dicom.compare import compare, read_outcome
from benchmarks.dicom.report import APP_IS_RIGHT, GOLDEN, count, page
from benchmarks.dicom.shipped import shipped_files
from benchmarks.reliability.records import keep, load
from jomed_app import __version__
from tests.imaging.dicom.encoded.make_files import FILES, HERE

PAGE = ROOT / "docs" / "dicom_conformance.md"
PACKAGES = (
    "pydicom",
    "pydicom-data",
    "python-gdcm",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "pyjpegls",
    "pillow",
)


def measure() -> dict[str, Any]:
    """Read every file, and render each with DCMTK."""
    files = {name: judge(path) for name, path in shipped_files().items()}
    with tempfile.TemporaryDirectory() as folder:
        golden = {}
        for name, row in GOLDEN.items():
            path = Path(folder) / "row.dcm"
            path.write_bytes(row.make())
            golden[name] = compare(path, row.frame)
    return {
        "versions": {
            "jomed_app": __version__,
            "DCMTK": dcmtk.version(),
            **{name: version_of(name) for name in PACKAGES},
        },
        "counts": count(files),
        "why_the_app_is_right": APP_IS_RIGHT,
        "golden": golden,
        "encoded": {name: compare(HERE / f"{name}.dcm") for name in FILES},
        "files": files,
    }


def judge(path: Path) -> dict[str, Any]:
    """Return what the app makes of a file's first frame, and DCMTK's verdict on first and last."""
    found = {**read_outcome(path), **compare(path)}
    if found.get("frames", 1) > 1:
        found["last_frame"] = compare(path, found["frames"] - 1)["dcmtk"]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or write the page anew from what is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page-only", action="store_true", help="write the page from what is kept")
    chosen = parser.parse_args(arguments)
    if not chosen.page_only:
        if not dcmtk.is_installed():
            sys.stderr.write("DCMTK is required, found none; apt-get install dcmtk\n")
            return 2
        keep("dicom", measure())
    values = load()["dicom"]
    PAGE.write_text(page(values), encoding="utf-8")
    sys.stdout.write(f"{json.dumps(values['counts'])}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
