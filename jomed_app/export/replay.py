"""Making exports again from a saved result: the same files, or the names of what differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jomed_app import __version__
from jomed_app.errors import RecordError
from jomed_app.export.dicom.study import SourceStudy
from jomed_app.export.kinds import KINDS, export
from jomed_app.export.saved import SavedResult, pixels_sha256
from jomed_app.imaging import turned_over
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.storage.durable import write_file
from jomed_app.types import ImageRecord, RegionWish

STEM = "case"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of each file, by its name.

    Attributes:
        written: was not there.
        same: was there, byte for byte.
        different: was there with other bytes, and was left as it was.
    """

    written: tuple[str, ...]
    same: tuple[str, ...]
    different: tuple[str, ...]


def open_picture(saved: SavedResult, source: Path | bytes) -> ImageRecord:
    """Decode the picture of a saved result as it was read: its frame, region and polarity.

    Args:
        saved: says how it was read.
        source: the image file.

    Raises:
        RecordError: if it is another picture, or is read otherwise by this version; says in what.
        ImageError: if it cannot be read.
    """
    record = read_untrusted(source, frame=saved.query.frame, region=_wish(saved))
    if saved.result.input.inverted_as_asked:
        record = turned_over(record)
    if differing := differences(saved, record):
        raise RecordError(
            f"the image must be the one that was read, found another {', '.join(differing)}; "
            "give the file that the result is of"
        )
    return record


def differences(saved: SavedResult, record: ImageRecord) -> tuple[str, ...]:
    """Name what of a decoded picture is not as it was, in words; empty where all is."""
    was, now, query = saved.result.input, record.info, saved.query
    rows, columns = record.model_input.shape[:2]
    compared = {
        "format": (was.format, now.format),
        "size": ((was.rows, was.columns), (now.rows, now.columns)),
        "number of frames": (query.num_frames, record.num_frames),
        "region": (was.region and was.region.corners, now.region and now.region.corners),
        "size of what is read": ((query.rows, query.columns), (rows, columns)),
        "hash of its pixels": (query.pixels_sha256, pixels_sha256(record.model_input)),
    }
    if was.region is None:  # a result before /3 says nothing of it
        del compared["region"]
    return tuple(name for name, (first, second) in compared.items() if first != second)


def write_again(
    saved: SavedResult,
    image: ImageRecord | None,
    kinds: tuple[str, ...],
    out: Path,
    study: SourceStudy | None = None,
) -> Replayed:
    """Make exports of a saved result; a file that is there is compared, never replaced.

    Args:
        saved: the result.
        image: see `open_picture`; None where no kind shows it.
        kinds: of `KINDS`.
        out: folder; the files are named `case` with each kind's suffix.
        study: see `kinds.export`.
    """
    found: dict[str, list[str]] = {"written": [], "same": [], "different": []}
    for kind in kinds:
        content = export(kind, saved, image, study)
        path = out / f"{STEM}{KINDS[kind].suffix}"
        if not path.exists():
            write_file(path, content)
            found["written"].append(path.name)
        else:
            is_same = path.is_file() and path.read_bytes() == content
            found["same" if is_same else "different"].append(path.name)
    return Replayed(**{name: tuple(files) for name, files in found.items()})


def version_words(saved: SavedResult) -> str:
    """Say that another version of the app made a result; empty where this one did."""
    made_by = saved.result.versions.app
    if made_by == __version__:
        return ""
    return f"The result was made by version {made_by}, these exports by {__version__}."


def _wish(saved: SavedResult) -> RegionWish:
    """Return what would read the same part again."""
    info = saved.result.input
    if info.region is None:
        return "whole"
    if not info.region_as_asked:
        return "found"
    return info.region.corners if info.region.source == "user" else "whole"
