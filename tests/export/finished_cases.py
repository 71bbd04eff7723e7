"""Finished cases to export: drawn pictures, read by the stand-in of the engine."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from jomed_app.export.saved import SavedResult, saved
from jomed_app.imaging import read_image
from jomed_app.types import Completed, ImageRecord, RegionWish, Result
from tests.imaging.datasets import dicom_bytes
from tests.ui.fake_engine import FakeEngine, picture, png_bytes

HASHES = {"bundle": "b" * 64, "index": "1" * 64}
STUDY = {
    "PatientName": "Müller^Ännchen",
    "PatientID": "P-1",
    "PatientBirthDate": "19500102",
    "PatientSex": "F",
    "StudyInstanceUID": "1.2.3.4",
    "SeriesInstanceUID": "1.2.3.4.5",
    "SOPInstanceUID": "1.2.3.4.5.6",
    "StudyDate": "20240506",
    "StudyTime": "070809",
    "AccessionNumber": "A-1",
    "StudyID": "S1",
    "ReferringPhysicianName": "",
    "SpecificCharacterSet": "ISO_IR 192",
    "InstitutionName": "Nowhere",
}


class AskedEngine(FakeEngine):
    """The stand-in as the command line asks the engine: it may leave the search open."""

    def run(self, image, *, retrieval=None, **asked):
        yield from super().run(image, retrieval=retrieval or "joint", **asked)


def result_of(image: ImageRecord, engine: FakeEngine | None = None) -> Result:
    """Return what the stand-in says of an image."""
    completed = list((engine or FakeEngine()).run(image))[-1]
    assert isinstance(completed, Completed)
    return completed.result


def finished(
    data: bytes | None = None, region: RegionWish = "found", engine: FakeEngine | None = None
) -> tuple[SavedResult, ImageRecord]:
    """Return a saved result and its image; of a drawn picture unless a file is given."""
    image = read_image(png_bytes(3) if data is None else data, region=region)
    return saved(result_of(image, engine), image, HASHES), image


def ultrasound_dicom(**attributes: object) -> bytes:
    """Return a DICOM file of a drawn picture with a patient, a study and a spacing."""
    known = STUDY | {"Modality": "US", "PixelSpacing": [0.1, 0.2]} | attributes
    return dicom_bytes(picture(5, 240, 320), **known)


def labelled_png(lines: int) -> bytes:
    """Return a picture with so many lines of burned-in text."""
    from PIL import ImageDraw, ImageFont

    shown = Image.fromarray(np.full((360, 480), 40, np.uint8))
    shown.paste(Image.fromarray(picture(3, 260, 480)), (0, 0))
    pen = ImageDraw.Draw(shown)
    for number in range(lines):
        pen.text((20, 280 + 34 * number), "ZZPLANTED JOHANNA", 255, ImageFont.load_default(24))
    stream = io.BytesIO()
    shown.save(stream, "png")
    return stream.getvalue()
