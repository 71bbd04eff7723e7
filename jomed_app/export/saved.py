"""The saved result: a Result with the hashes that say which picture, bundle and index it is of.

It is what `replay` makes every other export from. The Result alone, as the API and `--json` give
it, holds no hash of the picture; a saved one does, since it is made at a user's wish to be kept
beside the picture. It is the hash of the pixels that were read, not of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError

from jomed_app.errors import RecordError, first_fault
from jomed_app.types import Frozen, ImageRecord, Result, Timings

LARGEST_BYTES = 32 * 2**20  # ours: many times what a result with its heat map takes


class SavedQuery(Frozen):
    """Which picture was read, by its pixels; nothing of its file."""

    pixels_sha256: str = Field(
        pattern="^[0-9a-f]{64}$", description="of the pixels that the model read, and their size"
    )
    rows: int = Field(gt=0, description="of these pixels; a very large picture is read reduced")
    columns: int = Field(gt=0)
    frame: int = Field(default=0, ge=0, description="of the file, from 0")
    num_frames: int = Field(default=1, ge=1)


class SavedResult(Frozen):
    """One result as it is kept, schema `jomed.saved/1`."""

    schema_: Literal["jomed.saved/1"] = Field(default="jomed.saved/1", alias="schema")
    query: SavedQuery
    bundle_sha256: str | None = Field(default=None, description="of all that the bundle holds")
    index_sha256: str | None = Field(default=None, description="over all of the index's cases")
    result: Result

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def content_sha256(self) -> str:
        """Hash of what was found, to the last digit, hex; times and thread count are left out."""
        versions = self.result.versions.model_copy(update={"threads": None})
        result = self.result.model_copy(update={"timings_ms": Timings(), "versions": versions})
        timeless = self.model_copy(update={"result": result})
        values = timeless.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    @property
    def document(self) -> str:
        """The JSON that is kept."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """Return the hash of (rows, columns, 3) uint8 pixels and their size, hex."""
    rows, columns = pixels.shape[:2]
    digest = hashlib.sha256(f"{rows} {columns}\n".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def saved(
    result: Result, image: ImageRecord, hashes: Mapping[str, str] | None = None
) -> SavedResult:
    """Return a result as it is kept.

    Args:
        result: of the image.
        image: the frame that was read.
        hashes: of "bundle" and "index", hex; as `EngineInfo.hashes`.
    """
    known = hashes or {}
    rows, columns = image.model_input.shape[:2]
    query = SavedQuery(
        pixels_sha256=pixels_sha256(image.model_input),
        rows=rows,
        columns=columns,
        frame=image.frame,
        num_frames=image.num_frames,
    )
    return SavedResult(
        query=query,
        bundle_sha256=known.get("bundle"),
        index_sha256=known.get("index"),
        result=result,
    )


def read_saved(path: Path) -> SavedResult:
    """Read a saved result.

    Raises:
        RecordError: if the file is not there, too large, or no saved result.
    """
    advice = "save a result as JSON, or use 'diagnose IMAGE --out DIR --export json'"
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise RecordError(
                f"a saved result must be at most {LARGEST_BYTES // 2**20} MiB, found a larger "
                f"file; {advice}"
            )
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise RecordError(
            f"a saved result must be a file that can be read, found {type(error).__name__}; "
            "check the path"
        ) from None
    except (ValueError, RecursionError):
        raise RecordError(f"a saved result must be JSON, found something else; {advice}") from None
    if isinstance(values, dict) and "versions" in values and "query" not in values:
        raise RecordError(
            "a saved result must hold the hash of its picture (schema jomed.saved/1), found a "
            f"plain result without it; {advice}"
        )
    try:
        return SavedResult.model_validate(values)
    except ValidationError as error:
        raise RecordError(
            "a saved result must follow schema jomed.saved/1, found a fault at "
            f"{first_fault(error, 'its top')}; {advice}"
        ) from None
