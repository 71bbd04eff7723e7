"""What the pages beside the reading page speak of: bundle, collection, and how they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jomed_app.config import AppConfig
from jomed_app.errors import BundleError
from jomed_app.evaluation.report.evidence import Evidence, read_evidence
from jomed_app.inference.calibration.profile import Profile
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.storage.bundle import BundleManifest, open_bundle
from jomed_app.types import Retrieval

ROOT = Path(__file__).resolve().parents[4]  # of the installation
CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that a running server knows of itself, read only.

    Attributes:
        info: an `InfoView`.
        settings: of the web app.
        index: the collection that is searched.
        profiles: by search, what answers are weighed with and what was measured so.
        bundle: manifest; None where a file names models, and no bundle was learned beside them.
        card: the bundle's model card, Markdown; empty without one.
        notice: whose work the weights rest on, as the installation states it.
        licence: name of the app's licence, from the installation's own file.
        has_login: whether visitors log in.
        evidence: lines of the kept reports; None where the installation has none.
    """

    info: Any
    settings: AppConfig
    index: CandidateIndex
    profiles: Mapping[Retrieval, Profile]
    bundle: BundleManifest | None = None
    card: str = ""
    notice: str = ""
    licence: str = ""
    has_login: bool = False
    evidence: Evidence | None = None

    @property
    def profile(self) -> Profile:
        """That of the search which is made when none is asked for."""
        return self.profiles.get(self.info.opens_with) or next(iter(self.profiles.values()))


def read_card(bundle: Path) -> tuple[BundleManifest | None, str]:
    """Return a bundle's manifest and its model card; nothing where it is no bundle.

    Args:
        bundle: folder, or TOML file that names models. Its bytes were checked when it was loaded.
    """
    try:
        manifest = open_bundle(bundle, verify=False).manifest
    except BundleError:
        return None, ""
    card = bundle / CARD
    return manifest, card.read_text(encoding="utf-8") if card.is_file() else ""


def read_notice(root: Path = ROOT) -> tuple[str, str]:
    """Return what an installation states of others' work, and its licence's name; or nothing."""
    notice, licence = root / "assets" / "NOTICE", root / "LICENSE"
    lines = licence.read_text(encoding="utf-8").split("\n") if licence.is_file() else []
    title = [line.strip() for line in lines if line.strip()][:2]
    said = notice.read_text(encoding="utf-8") if notice.is_file() else ""
    return said, ", ".join(title)


def read_kept(root: Path = ROOT) -> Evidence | None:
    """Return the lines of the kept reports that an installation ships; None without them.

    Raises:
        RecordError: if the file does not follow its schema.
    """
    return read_evidence(root / "assets")
