"""What the objects have in common: who made them, and how they become bytes."""

from __future__ import annotations

from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from jomed_app.export.saved import SavedResult

MANUFACTURER = "JOMED app"
MODEL = "JOMED app, research demo"
SERIES_NUMBERS = {"sr": 9801, "sc": 9802, "pdf": 9803}  # ours: behind the series of a machine


def describe_maker(dataset: Dataset, saved: SavedResult, title: str) -> None:
    """Say which program made an object, in the General Equipment Module.

    Args:
        dataset: the object.
        saved: names the version.
        title: of the series, as an archive lists it.
    """
    versions = saved.result.versions
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL
    dataset.DeviceSerialNumber = "none"
    dataset.SoftwareVersions = [versions.app[:64], versions.bundle[:64], versions.index[:64]]
    dataset.SeriesDescription = title


def file_bytes(dataset: Dataset) -> bytes:
    """Return an object as a DICOM file with a preamble."""
    dataset.preamble = bytes(128)
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()
