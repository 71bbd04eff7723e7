"""A secondary capture: the picture that was read with its boxes and its legend burned in."""

from __future__ import annotations

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from jomed_app.export.dicom.identity import Identity
from jomed_app.export.dicom.objects import MANUFACTURER, SERIES_NUMBERS, describe_maker, file_bytes
from jomed_app.export.dicom.study import SourceStudy
from jomed_app.export.picture import labelled_picture
from jomed_app.export.places import spacing_mm
from jomed_app.export.saved import SavedResult


def capture_object(
    saved: SavedResult, pixels: NDArray[np.uint8], study: SourceStudy | None = None
) -> Dataset:
    """Return the picture as Secondary Capture Image Storage (PS3.3 A.8), RGB, not compressed.

    Burned In Annotation is left out: a detector painted text over, and that is no proof.

    Args:
        saved: what is shown.
        pixels: (rows, columns, 3) uint8 RGB of what was read.
        study: where it is filed; see `identity`.
    """
    identity = Identity.of(saved, study)
    image = SCImage(
        pixel_array=np.asarray(labelled_picture(saved, pixels)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),  # highdicom demands one; it is emptied below
        study_instance_uid=identity.study_uid,
        series_instance_uid=identity.uid("series of captures"),
        series_number=SERIES_NUMBERS["sc"],
        sop_instance_uid=identity.uid("capture"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        pixel_spacing=spacing_mm(saved),
    )
    image["PatientOrientation"].value = None  # type 2C, not known
    image.Laterality = ""  # type 2C, not known
    image.ConversionType = "WSD"
    if "PixelSpacing" in image:
        image.NominalScannedPixelSpacing = image.PixelSpacing
    describe_maker(image, saved, "JOMED app: image read, research only")
    return identity.settle(image)


def capture(
    saved: SavedResult, pixels: NDArray[np.uint8], study: SourceStudy | None = None
) -> bytes:
    """Return the secondary capture as a file; arguments as `capture_object`."""
    return file_bytes(capture_object(saved, pixels, study))
