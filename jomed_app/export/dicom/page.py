"""The page of a result as a DICOM object: Encapsulated PDF Storage (PS3.3 A.45.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from jomed_app.export.dicom.identity import Identity
from jomed_app.export.dicom.objects import SERIES_NUMBERS, describe_maker, file_bytes
from jomed_app.export.dicom.study import SourceStudy
from jomed_app.export.page import pdf
from jomed_app.export.saved import SavedResult


def pdf_object(
    saved: SavedResult, pixels: NDArray[np.uint8], study: SourceStudy | None = None
) -> Dataset:
    """Return the page as a DICOM object; arguments as `capture.capture_object`."""
    identity, content = Identity.of(saved, study), pdf(saved, pixels)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.SOPInstanceUID = identity.uid("page")
    dataset.SeriesInstanceUID = identity.uid("series of pages")
    dataset.SeriesNumber, dataset.InstanceNumber = SERIES_NUMBERS["pdf"], 1
    dataset.Modality = "DOC"
    dataset.ConversionType = "WSD"
    dataset.AcquisitionDateTime = ""
    dataset.ContentDate = dataset.ContentTime = ""
    dataset.BurnedInAnnotation = "YES" if _held_text(saved) else "NO"  # type 1
    dataset.DocumentTitle = "JOMED app: one case, research only"
    dataset.ConceptNameCodeSequence = []
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = content + bytes(len(content) % 2)
    dataset.EncapsulatedDocumentLength = len(content)
    describe_maker(dataset, saved, "JOMED app: page, research only")
    return identity.settle(dataset)


def encapsulated_pdf(
    saved: SavedResult, pixels: NDArray[np.uint8], study: SourceStudy | None = None
) -> bytes:
    """Return the page as a DICOM file; arguments as `capture.capture_object`."""
    return file_bytes(pdf_object(saved, pixels, study))


def _held_text(saved: SavedResult) -> bool:
    """Whether text was found in the picture: it was painted over, but a detector is no proof."""
    checks = saved.result.input.checks
    return not all(each.passed for each in checks if each.name == "annotation")
