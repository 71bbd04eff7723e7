"""What the pages beside the reading page speak of in tests: the bundle and index that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jomed_app.config import AppConfig
from jomed_app.inference.calibration.profile import read_profile
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import read_manifest
from jomed_app.ui.panels.pages.shelf import ROOT, Shelf, read_card, read_kept, read_notice

BUNDLE = ROOT / "assets" / "bundle"
INDEX = ROOT / "index" / "simulated"


def shipped_shelf(info: Any, settings: AppConfig | None = None, index: Path = INDEX) -> Shelf:
    """Return it, without a model.

    Args:
        info: an `InfoView`.
        settings: of the web app.
        index: folder.
    """
    manifest, card = read_card(BUNDLE)
    assert manifest is not None
    notice, licence = read_notice()
    profile = read_profile(manifest.profiles["simulated"])
    return Shelf(
        info=info,
        settings=settings or AppConfig(),
        index=CandidateIndex.load(index, read_manifest(index).encoder_fingerprint),
        profiles={"joint": profile, "standard": profile.standard or profile},
        bundle=manifest,
        card=card,
        notice=notice,
        licence=licence,
        evidence=read_kept(),
    )
