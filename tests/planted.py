"""Images with planted identifiers: whatever of them is found anywhere afterwards has leaked."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.imaging.datasets import make_dataset, to_bytes

NAME, NUMBER, DAY, PLACE = "ZZPLANTED^JOHANNA", "ZZ4711PLANTED", "19470229", "ZZPLANTED CLINIC"
SERIAL = "471108154711"
FREE = "ZZPLANTED free text of a private tag"
IDENTIFIERS = (NAME, "ZZPLANTED", NUMBER, DAY, PLACE, SERIAL, FREE)


@dataclass(frozen=True)
class Planted:
    """A file: its name, which tells the patient too, and its bytes."""

    name: str
    data: bytes

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be found nowhere: the identifiers, the file's name and its hashes."""
        hashes = [hashlib.new(kind, self.data).hexdigest() for kind in ("sha256", "md5", "sha1")]
        return (*IDENTIFIERS, self.name, *hashes, *(each.upper() for each in hashes))


def dicom(pixels: np.ndarray) -> Planted:
    """A DICOM file with identifiers in known, nested and private tags."""
    mode = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = make_dataset(pixels)
            dataset.PatientName, dataset.PatientID = NAME, NUMBER
            dataset.PatientBirthDate = dataset.StudyDate = DAY
            dataset.InstitutionName, dataset.StationName = PLACE, PLACE
            dataset.ManufacturerModelName = dataset.DeviceSerialNumber = SERIAL
            dataset.ImageComments = dataset.StudyDescription = FREE
            nested = Dataset()
            nested.PatientName, nested.ReferringPhysicianName = NAME, NAME
            dataset.ReferencedImageSequence = Sequence([nested])
            block = dataset.private_block(0x0011, "ZZPLANTED", create=True)
            block.add_new(0x01, "LO", FREE)
            return Planted(f"{NAME}_{DAY}.dcm".replace("^", "_"), to_bytes(dataset))
    finally:
        config.settings.writing_validation_mode = mode


def png(pixels: np.ndarray) -> Planted:
    """A PNG file with identifiers in its text chunks."""
    chunks = PngInfo()
    chunks.add_text("Patient", NAME)
    chunks.add_itxt("Comment", f"{NUMBER} {DAY} {PLACE}")
    chunks.add_text("Serial", SERIAL, zip=True)
    return Planted(f"{NUMBER}_{DAY}.png", _saved(pixels, "PNG", pnginfo=chunks))


def jpeg(pixels: np.ndarray) -> Planted:
    """A JPEG file with identifiers in EXIF and in its comment."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0110], exif[0x013B], exif[0x8298] = FREE, SERIAL, NAME, PLACE
    words = f"{NUMBER} {DAY}".encode()
    return Planted(f"{NAME}.jpg", _saved(pixels, "JPEG", exif=exif, comment=words))


def tiff(pixels: np.ndarray) -> Planted:
    """A TIFF file with identifiers in its tags."""
    tags = {270: FREE, 272: SERIAL, 305: NUMBER, 306: DAY, 315: NAME, 316: PLACE}
    return Planted(f"{PLACE}.tiff".replace(" ", "_"), _saved(pixels, "TIFF", tiffinfo=tags))


def broken(whole: Planted) -> Planted:
    """The same file, cut off in its pixels: an error must not quote what stood before them."""
    return Planted(whole.name, whole.data[: len(whole.data) * 2 // 3])


def found_in(texts: Iterable[tuple[str, bytes]], planted: Planted) -> list[tuple[str, str]]:
    """Return (place, mark) for every mark that a text holds, whatever its case and encoding."""
    marks = [(mark, mark.lower().encode()) for mark in planted.marks]
    found = []
    for place, text in texts:
        low = text.lower()
        wide = low.replace(b"\x00", b"")  # UTF-16
        found += [(place, mark) for mark, needle in marks if needle in low or needle in wide]
    return found


def left_on_disk(*folders: Path, but: Path | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield every path below folders, and every file's bytes; `but` is the user's own file."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path == but:
                continue
            yield str(path), str(path.relative_to(folder)).encode()
            if path.is_file():
                yield str(path), path.read_bytes()


def _saved(pixels: np.ndarray, form: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=form, **more)
    return buffer.getvalue()
