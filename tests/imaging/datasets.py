"""Builds small DICOM and raster files in memory for the imaging tests."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid


def make_dataset(
    stored: NDArray[Any],
    *,
    frames: int = 0,
    photometric: str = "MONOCHROME2",
    bits_stored: int | None = None,
    **attributes: Any,
) -> Dataset:
    """Return a data set around stored values: (rows, columns[, 3]) or frames of those in front."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Modality = "OT"
    shape = stored.shape[1:] if frames else stored.shape
    bits = 8 * stored.dtype.itemsize
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.SamplesPerPixel = 3 if len(shape) == 3 else 1
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = bits
    dataset.BitsStored = bits_stored or bits
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
    if frames:
        dataset.NumberOfFrames = frames
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some tests write damaged values on purpose
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    payload = stored.tobytes()
    dataset.PixelData = payload + b"\0" * (len(payload) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    return dataset


def to_bytes(dataset: Dataset, *, preamble: bool = True) -> bytes:
    """Write a data set to bytes, with preamble and file meta or bare."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if preamble:
            dataset.save_as(buffer, enforce_file_format=True)
        else:
            bare = Dataset(dataset)
            bare.save_as(buffer, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


def dicom_bytes(stored: NDArray[Any], **attributes: Any) -> bytes:
    """Return the bytes of a file around stored values; see `make_dataset`."""
    return to_bytes(make_dataset(stored, **attributes))


def encapsulated_bytes(
    frames: list[bytes], syntax: UID, rows: int, columns: int, **attributes: Any
) -> bytes:
    """Return a file whose frames are already compressed."""
    from pydicom.encaps import encapsulate

    dataset = make_dataset(np.zeros((rows, columns), np.uint8), **attributes)
    dataset.file_meta.TransferSyntaxUID = syntax
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return to_bytes(dataset)


def lut_item(first: int, entries: list[int], bits: int, *, signed: bool = False) -> Sequence:
    """Return a one-item LUT sequence (modality or VOI)."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if signed else "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return Sequence([item])


def raster_bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image's bytes in a format that Pillow writes."""
    buffer = BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def gradient(
    rows: int = 64, columns: int = 64, dtype: Any = np.uint16, top: int = 4095
) -> NDArray[Any]:
    """Return a ramp from 0 to `top` along the columns, the same in every row."""
    ramp = np.linspace(0, top, columns).astype(dtype)
    return np.tile(ramp, (rows, 1))
