"""The index manifest: what an index was built from, and with what. No index travels without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from jomed_app.errors import IndexMismatchError
from jomed_app.retrieval.stores.protocol import StoreKind
from jomed_app.storage.durable import left_aside
from jomed_app.storage.sealing import (
    SealedManifest,
    SealError,
    check_files,
    read_checked,
    read_sealed,
    write_sealed,
)
from jomed_app.types import Head, RegionSource

INDEX_FORMAT_VERSION = 1
HEADS: tuple[Head, ...] = ("image", "text")
REBUILD = "Rebuild: python -m jomed_app index build ..."


class IndexManifest(SealedManifest):
    """Encoder, corpus and figures of one index, format version 1.

    `similarity_quantiles[head]` are evenly spaced quantiles (0 to 1) of the inner products of
    random corpus pairs, one case as the query and another one, of another group, as candidate.
    """

    format_version: int = INDEX_FORMAT_VERSION
    name: str = Field(min_length=1)
    encoder_fingerprint: str = Field(min_length=1)
    dim: int = Field(gt=0)
    metric: Literal["inner_product"] = "inner_product"
    normalization: Literal["unit_rows"] = "unit_rows"
    store: StoreKind = "faiss"
    corpus_sha256: str = Field(description="hash over all records and image files, rows by id")
    count: int = Field(gt=0)
    labels: dict[str, int] = Field(description="cases per label")
    simulated: bool = Field(description="whether any case is simulated")
    app_version: str
    source: str = Field(description="where the cases come from, in words")
    thumb_px: int = Field(gt=0, description="longest side of a thumbnail")
    similarity_quantiles: dict[Head, tuple[float, ...]]
    regions: dict[RegionSource, int] | None = Field(
        default=None,
        description="images by who says which part is read: tag, detected, or whole; None in "
        "indexes that read every image whole, without a look for a region",
    )

    recall: dict[Head, float] | None = Field(
        default=None,
        description="share of the ten best cases that an approximate search finds, over the "
        "sampled queries; None where every case is compared",
    )
    calibrated: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="fingerprint of a bundle -> the profile fitted with it to these very cases; "
        "an index that is extended or built anew has none",
    )

    @model_serializer(mode="wrap")
    def _leave_out_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """An older manifest stays as it was, and so does its seal."""
        values: dict[str, Any] = handler(self)
        if self.regions is None:
            values.pop("regions", None)
        if self.recall is None:
            values.pop("recall", None)
        if not self.calibrated:
            values.pop("calibrated", None)
        return values


def read_manifest(folder: Path) -> IndexManifest:
    """Read and check the manifest of an index folder; its other files are not looked at.

    Raises:
        IndexMismatchError: if the folder or manifest is missing, damaged or of another version.
    """
    if not folder.is_dir():
        aside = left_aside(folder)
        way_out = (
            f"An interrupted build left the older index at '{aside}': rename that folder, or "
            "build again"
            if aside
            else "Build one: python -m jomed_app index build ..."
        )
        raise IndexMismatchError(
            f"an index must be a folder, found none at '{folder.name}'. {way_out}"
        )
    try:
        return read_sealed(folder, IndexManifest, format_version=INDEX_FORMAT_VERSION)
    except SealError as error:
        raise altered_index(folder.resolve().name, error) from error


def keep_profile(folder: Path, bundle: str, profile: dict[str, JsonValue]) -> IndexManifest:
    """Put a profile that was fitted to an index into its manifest, beside those of other bundles.

    Args:
        folder: the index.
        bundle: fingerprint of the bundle, or of the models, that it was fitted with.
        profile: plain values of a `CorpusProfile`.

    Returns:
        The manifest as written.

    Raises:
        IndexMismatchError: as `read_manifest`.
        StorageError: if it cannot be written.
    """
    manifest = read_manifest(folder)
    fitted = manifest.calibrated | {bundle: profile}
    return write_sealed(folder, manifest.model_copy(update={"calibrated": fitted}))


def check_index_files(folder: Path, manifest: IndexManifest) -> None:
    """Check every file of an index, bit for bit.

    Raises:
        IndexMismatchError: naming the first file that is missing, extra or altered.
    """
    try:
        check_files(folder, manifest.files)
    except SealError as error:
        raise altered_index(manifest.name, error) from error


def read_index_file(folder: Path, name: str, manifest: IndexManifest) -> bytes:
    """Return the bytes of a file of an index, their hash checked.

    Raises:
        IndexMismatchError: if the file is missing or altered.
    """
    try:
        return read_checked(folder, name, manifest.files)
    except SealError as error:
        raise altered_index(manifest.name, error) from error


def altered_index(name: str, fault: SealError) -> IndexMismatchError:
    """Return the error for an index whose files do not fit its manifest."""
    return IndexMismatchError(f"index '{name}' must match its manifest: {fault}. {REBUILD}")
