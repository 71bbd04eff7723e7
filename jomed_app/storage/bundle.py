"""The bundle: one folder with everything learned, sealed by `manifest.json`.

Layout: manifest.json, MODEL_CARD.md, retriever/, reader/, heads/ ... A bundle whose hashes fail
does not load. No torch here: a bundle is checked before any weight is read. One of large models
holds what was learned beside them, and pins the models themselves (`storage.pinned`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import Field, JsonValue, ValidationError

from jomed_app import __version__
from jomed_app.errors import BundleError, first_fault
from jomed_app.storage.durable import left_aside
from jomed_app.storage.pinned import PinnedModel, PinnedPart
from jomed_app.storage.sealing import (
    MANIFEST_FILE,
    SealedManifest,
    SealError,
    check_files,
    hash_folder,
    read_sealed,
    write_sealed,
)
from jomed_app.types import CorpusKind, Frozen

BUNDLE_FORMAT_VERSION = 2
BUNDLE_LIMIT_BYTES = 64 * 2**20
HELD = (".safetensors", ".json", ".jinja", ".txt", ".md")
_EXPORT = "python -m jomed_app bundle export"


class TrainingInfo(Frozen):
    """How the bundle was trained: stages in order, seed and resolved config of each."""

    stages: tuple[str, ...] = ()
    seeds: dict[str, int] = Field(default={})
    configs: dict[str, JsonValue] = Field(default={})


class TrainingData(Frozen):
    """One data set that training saw: name, hash of its records and number of cases.

    `licence` is stated where its terms allow non-commercial use only, else empty.
    """

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    cases: int = Field(ge=0)
    licence: str = Field(default="", exclude_if=lambda value: not value)


class BaseWeights(Frozen):
    """Pretrained weights that the bundle's weights derive from, with their licence."""

    name: str
    version: str
    licence: str


class BundleManifest(SealedManifest):
    """What a bundle is made of and made from.

    `profiles` holds, by kind of corpus, what was fitted with that corpus as known cases; it is read
    by `inference.calibration.profile`. `pinned` names models that lie outside; empty where the
    bundle holds all weights.
    """

    format_version: int = BUNDLE_FORMAT_VERSION
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    task: str
    labels: tuple[str, ...] = Field(min_length=1)
    prompts: dict[str, str] = Field(default={})
    profiles: dict[CorpusKind, dict[str, JsonValue]] = Field(default={})
    training: TrainingInfo = TrainingInfo()
    training_data: tuple[TrainingData, ...] = ()
    metrics: dict[str, JsonValue] = Field(default={})
    code_version: str
    base_weights: tuple[BaseWeights, ...] = ()
    pinned: dict[PinnedPart, PinnedModel] = Field(default={}, exclude_if=lambda value: not value)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its folder and its checked manifest."""

    path: Path
    manifest: BundleManifest

    @property
    def fingerprint(self) -> str:
        """See `bundle_fingerprint`."""
        return bundle_fingerprint(self.manifest)

    @property
    def total_size(self) -> int:
        """Bytes of all files, the manifest's own included."""
        return self.manifest.total_size + (self.path / MANIFEST_FILE).stat().st_size


def bundle_fingerprint(manifest: BundleManifest) -> str:
    """Return 16 hex digits that change with any file or any manifest field.

    It names a bundle in results, so that two results can be told to come from one bundle.
    """
    return manifest.sealed().seal[:16]


def write_manifest(
    folder: Path,
    *,
    name: str,
    version: str,
    task: str,
    labels: Sequence[str],
    prompts: Mapping[str, str] | None = None,
    profiles: Mapping[CorpusKind, Mapping[str, JsonValue]] | None = None,
    training: TrainingInfo | None = None,
    training_data: Sequence[TrainingData] = (),
    metrics: Mapping[str, JsonValue] | None = None,
    base_weights: Sequence[BaseWeights] = (),
    pinned: Mapping[PinnedPart, PinnedModel] | None = None,
    code_version: str = __version__,
) -> BundleManifest:
    """Hash every file below `folder` and write its sealed manifest; an older one is replaced.

    Args:
        folder: the finished bundle; nothing in it may change afterwards.
        name: of the bundle, as shown on screen.
        version: of the bundle, as shown on screen.
        task: name of the task definition.
        labels: the task's classes, in the order of every probability vector.
        prompts: prompt templates by name.
        profiles: JSON values of a `CorpusProfile` by kind of corpus; finite numbers.
        training: stages, seeds and resolved configs.
        training_data: data sets that training saw.
        metrics: measured figures; JSON values, finite.
        base_weights: pretrained weights and their licences.
        pinned: models that lie outside.
        code_version: of the app that wrote the bundle.

    Returns:
        The manifest as written, sealed.

    Raises:
        BundleError: if the folder is missing or a field cannot stand in a manifest.
    """
    _require_folder(folder)
    try:
        manifest = BundleManifest.model_validate(
            {
                "name": name,
                "version": version,
                "task": task,
                "labels": tuple(labels),
                "prompts": dict(prompts or {}),
                "profiles": dict(profiles or {}),
                "training": training or TrainingInfo(),
                "training_data": tuple(training_data),
                "metrics": dict(metrics or {}),
                "base_weights": tuple(base_weights),
                "pinned": dict(pinned or {}),
                "code_version": code_version,
                "files": hash_folder(folder),
            }
        )
        return write_sealed(folder, manifest)
    except ValidationError as error:
        raise BundleError(
            f"a bundle manifest must follow its schema: {first_fault(error, 'manifest')}"
        ) from error
    except ValueError as error:
        raise BundleError(
            "a bundle manifest must hold finite numbers only, found NaN or inf; mend the figures"
        ) from error


def open_bundle(folder: Path, verify: bool = True) -> Bundle:
    """Open a bundle after checking its manifest and, with `verify`, every byte of its files.

    Raises:
        BundleError: if the folder, the manifest or a file is missing, a file is extra or altered,
            may hold code, or the format version is another one.
    """
    _require_folder(folder)
    try:
        manifest = read_sealed(folder, BundleManifest, format_version=BUNDLE_FORMAT_VERSION)
        _require_harmless(manifest)
        check_files(folder, manifest.files, hashes=verify)
    except SealError as error:
        raise BundleError(
            f"bundle '{folder.resolve().name}' must match its manifest: {error}. "
            f"Copy the bundle again or rebuild: {_EXPORT} ..."
        ) from error
    return Bundle(path=folder, manifest=manifest)


def next_version(folder: Path) -> str:
    """Version of a bundle that is to replace the one in a folder: one more, "1" for the first.

    Also "1" where the one that is replaced cannot be read, or does not count its versions.
    """
    try:
        version = open_bundle(folder, verify=False).manifest.version
    except BundleError:
        return "1"
    return str(int(version) + 1) if version.isdecimal() else "1"


def check_size_limit(manifest: BundleManifest, limit_bytes: int = BUNDLE_LIMIT_BYTES) -> None:
    """Check that a bundle's files fit the limit, 64 MiB unless told otherwise.

    Raises:
        BundleError: if they do not, naming the largest file.
    """
    total = manifest.total_size + len(manifest.to_text().encode())
    if total <= limit_bytes:
        return
    largest = max(manifest.files, key=lambda name: manifest.files[name].size, default=MANIFEST_FILE)
    raise BundleError(
        f"bundle '{manifest.name}' must be at most {limit_bytes / 2**20:.1f} MiB, found "
        f"{total / 2**20:.1f} MiB; shrink it first at its largest file, '{largest}'"
    )


def _require_harmless(manifest: BundleManifest) -> None:
    """Refuse files that a library could take for a pickle or for code, whoever sealed them."""
    for name in sorted(manifest.files):
        if PurePosixPath(name).suffix not in HELD:
            raise BundleError(
                f"bundle '{manifest.name}' may hold no files but {', '.join(HELD)}, "
                f"found '{name}'; weights must be safetensors"
            )


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        aside = left_aside(folder)
        way_out = (
            f"An interrupted export left the older bundle at '{aside}': rename that folder, or "
            "export again"
            if aside
            else f"Make one: {_EXPORT} ..."
        )
        raise BundleError(f"a bundle must be a folder, found none at '{folder.name}'. {way_out}")
