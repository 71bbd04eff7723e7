"""The kinds of export by name: what each is called, its file, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import ConfigError
from jomed_app.export.dicom.study import SourceStudy
from jomed_app.export.saved import SavedResult
from jomed_app.imaging.content.shared import shared_pixels
from jomed_app.types import ImageRecord

Pixels = NDArray[np.uint8]
Maker = Callable[[SavedResult, Pixels, SourceStudy | None], bytes]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of export.

    Attributes:
        name: on the command line.
        title: in a menu.
        suffix: of its file, behind a stem.
        media_type: as a browser is told.
        make: the bytes; what it needs is imported then.
        is_dicom: whether it may be filed in a study.
        shows_picture: whether the picture is needed.
    """

    name: str
    title: str
    suffix: str
    media_type: str
    make: Maker
    is_dicom: bool = False
    shows_picture: bool = True


def _json(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    return saved.document.encode()


def _csv(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    from jomed_app.export.table import case_csv

    return case_csv(saved)


def _png(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    from jomed_app.export.picture import png

    return png(saved, pixels)


def _pdf(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    from jomed_app.export.page import pdf

    return pdf(saved, pixels)


def _sr(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    from jomed_app.export.dicom.report import report

    return report(saved, pixels, study)


def _sc(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    from jomed_app.export.dicom.capture import capture

    return capture(saved, pixels, study)


def _dicom_pdf(saved: SavedResult, pixels: Pixels, study: SourceStudy | None) -> bytes:
    from jomed_app.export.dicom.page import encapsulated_pdf

    return encapsulated_pdf(saved, pixels, study)


KINDS: dict[str, Kind] = {
    "json": Kind("json", "JSON, whole", ".json", "application/json", _json, shows_picture=False),
    "pdf": Kind("pdf", "PDF, one page", ".pdf", "application/pdf", _pdf),
    "png": Kind("png", "PNG with boxes", ".png", "image/png", _png),
    "csv": Kind("csv", "CSV, a row a case", ".csv", "text/csv", _csv, shows_picture=False),
    "sr": Kind("sr", "DICOM report (SR)", ".sr.dcm", "application/dicom", _sr, is_dicom=True),
    "sc": Kind("sc", "DICOM image (SC)", ".sc.dcm", "application/dicom", _sc, is_dicom=True),
    "dicom-pdf": Kind(
        "dicom-pdf", "DICOM PDF", ".pdf.dcm", "application/dicom", _dicom_pdf, is_dicom=True
    ),
}  # fmt: skip


def export(
    kind: str, saved: SavedResult, image: ImageRecord | None, study: SourceStudy | None = None
) -> bytes:
    """Return the file of one kind.

    Args:
        kind: a name of `KINDS`.
        saved: what is exported.
        image: the frame that was read; text that was found in it is painted over. None where the
            kind shows no picture.
        study: where DICOM objects are filed; None makes a study without a patient.
    """
    pixels = np.zeros((0, 0, 3), np.uint8) if image is None else shared_pixels(image)
    return KINDS[kind].make(saved, pixels, study)


def parse_kinds(words: str | None) -> tuple[str, ...]:
    """Return kinds from "pdf,sr" in the order of `KINDS`; "all" means each.

    Raises:
        ConfigError: if there is no such kind.
    """
    asked = {word.strip().lower() for word in (words or "").split(",") if word.strip()}
    if unknown := sorted(asked - KINDS.keys() - {"all"}):
        raise ConfigError(
            f"exports are {', '.join(KINDS)} and all, found '{unknown[0]}'; choose among them"
        )
    return tuple(KINDS) if "all" in asked else tuple(name for name in KINDS if name in asked)


def require_dicom(kinds: Iterable[str]) -> None:
    """Refuse to name a study where no DICOM object is made.

    Raises:
        ConfigError: if none of the kinds is DICOM.
    """
    if not any(KINDS[kind].is_dicom for kind in kinds):
        raise ConfigError(
            "--keep-study requires a DICOM export, found none; add --export sr,sc or leave it out"
        )
