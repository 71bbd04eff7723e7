"""Writes the files of this folder: `python -m tests.imaging.dicom.encoded.make_files`.

Synthetic pictures through DCMTK's encoders (Debian package dcmtk, 3.6.7) and, for HTJ2K, OpenJPH
(PyPI package imagecodecs, 2026.3.6), which nothing that the app needs has. The tests read the
files alone; the encoders are needed only to write them anew.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2KLossless

from tests.imaging.datasets import make_dataset, to_bytes

HERE = Path(__file__).resolve().parent
ROWS, COLUMNS = 24, 32


class Encoded(NamedTuple):
    """One file: what is in it, which encoder, and how far a decoded value may lie off."""

    stored: NDArray[Any]
    encoder: tuple[str, ...]
    tolerance: int = 0
    attributes: dict[str, Any] = {}  # noqa: RUF012 - never written to


def slopes(low: int, high: int, dtype: Any, frames: int = 0) -> NDArray[Any]:
    """Return a smooth picture with an edge and some noise, from `low` to `high`."""
    rows, columns = np.mgrid[0 : max(1, frames) * ROWS, 0:COLUMNS]
    wave = 0.45 + 0.3 * np.sin(rows / 5.0) * np.cos(columns / 7.0)
    wave[:, COLUMNS // 2 :] += 0.2
    noise = np.random.default_rng(12).uniform(-0.04, 0.04, wave.shape)
    span: NDArray[Any] = np.rint(low + (high - low) * np.clip(wave + noise, 0, 1)).astype(dtype)
    span.flat[:2] = low, high
    return span.reshape(frames, ROWS, COLUMNS) if frames else span


def color() -> NDArray[np.uint8]:
    """Return three different slopes as RGB."""
    plane = slopes(0, 255, np.uint8)
    return np.stack([plane, plane[::-1], plane[:, ::-1]], axis=-1)


SV1, PROCESS_14, OPENJPH = ("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el"), ("htj2k_encode",)
FILES = {
    "lossless_sv1_8": Encoded(slopes(0, 255, np.uint8), SV1),
    "lossless_sv1_12": Encoded(slopes(0, 4095, np.uint16), SV1, 0, {"bits_stored": 12}),
    "lossless_sv1_16": Encoded(slopes(0, 65535, np.uint16), SV1),
    "lossless_sv1_signed_12": Encoded(slopes(-2048, 2047, np.int16), SV1, 0, {"bits_stored": 12}),
    "lossless_sv1_signed_16": Encoded(slopes(-32768, 32767, np.int16), SV1),
    "lossless_sv1_rgb": Encoded(color(), SV1, 0, {"photometric": "RGB"}),
    "lossless_sv1_frames": Encoded(
        slopes(0, 4095, np.uint16, 3), SV1, 0, {"frames": 3, "bits_stored": 12}
    ),
    "lossless_sv1_monochrome1": Encoded(
        slopes(0, 4095, np.uint16), SV1, 0, {"bits_stored": 12, "photometric": "MONOCHROME1"}
    ),
    "lossless_14_predictor_6": Encoded(slopes(0, 65535, np.uint16), (*PROCESS_14, "+sv", "6")),
    "lossless_14_signed": Encoded(slopes(-900, 900, np.int16), (*PROCESS_14, "+sv", "4")),
    "lossless_14_rgb": Encoded(color(), (*PROCESS_14, "+sv", "7"), 0, {"photometric": "RGB"}),
    "extended_12": Encoded(
        slopes(0, 4095, np.uint16), ("dcmcjpeg", "+ee", "+q", "98"), 40, {"bits_stored": 12}
    ),
    "extended_12_frames": Encoded(
        slopes(0, 4095, np.uint16, 2),
        ("dcmcjpeg", "+ee", "+q", "98"),
        40,
        {"frames": 2, "bits_stored": 12},
    ),
    "extended_8": Encoded(slopes(0, 255, np.uint8), ("dcmcjpeg", "+ee", "+q", "98"), 6),
    "baseline_8": Encoded(slopes(0, 255, np.uint8), ("dcmcjpeg", "+eb", "+q", "98"), 6),
    "jpeg_ls_16": Encoded(slopes(0, 65535, np.uint16), ("dcmcjpls", "+el")),
    "jpeg_ls_signed_12": Encoded(
        slopes(-2048, 2047, np.int16), ("dcmcjpls", "+el"), 0, {"bits_stored": 12}
    ),
    "jpeg_ls_near": Encoded(slopes(0, 255, np.uint8), ("dcmcjpls", "+en", "+md", "2"), 2),
    "htj2k_12": Encoded(slopes(0, 4095, np.uint16), OPENJPH, 0, {"bits_stored": 12}),
    "htj2k_signed_16": Encoded(slopes(-32768, 32767, np.int16), OPENJPH),
    "htj2k_rgb": Encoded(color(), OPENJPH, 0, {"photometric": "RGB"}),
    "rle_16": Encoded(slopes(0, 65535, np.uint16), ("dcmcrle",)),
    "rle_signed": Encoded(slopes(-32768, 32767, np.int16), ("dcmcrle",)),
    "rle_rgb": Encoded(color(), ("dcmcrle",), 0, {"photometric": "RGB"}),
}


def write(name: str, encoded: Encoded, folder: Path) -> Path:
    """Encode one file into a folder."""
    plain, out = folder / f"{name}.plain", folder / f"{name}.dcm"
    dataset = make_dataset(encoded.stored, PatientName="SYNTHETIC", **encoded.attributes)
    if encoded.encoder == OPENJPH:
        import imagecodecs

        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
        frame = imagecodecs.htj2k_encode(encoded.stored, reversible=True)
        dataset.PixelData = encapsulate([bytes(frame)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        out.write_bytes(to_bytes(dataset))
        return out
    plain.write_bytes(to_bytes(dataset))
    subprocess.run([*encoded.encoder, str(plain), str(out)], check=True, capture_output=True)
    plain.unlink()
    return out


def main() -> None:
    """Write every file."""
    with tempfile.TemporaryDirectory() as folder:
        for name, encoded in FILES.items():
            (HERE / f"{name}.dcm").write_bytes(write(name, encoded, Path(folder)).read_bytes())


if __name__ == "__main__":
    main()
