"""About: what this is and is not, its scope, the bundle's own card and data, licences, privacy."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app import __version__
from jomed_app.config import AppConfig
from jomed_app.storage.bundle import BaseWeights, TrainingData, bundle_fingerprint
from jomed_app.ui import text
from jomed_app.ui.panels.pages.frame import Page
from jomed_app.ui.panels.pages.markdown import Marked, marked


@dataclass(frozen=True, slots=True)
class AboutPage(Page):
    """The page."""

    @property
    def settings(self) -> AppConfig:
        """Of the running server."""
        return self.shelf.settings

    @property
    def domain_probability(self) -> float:
        """Least probability, in [0, 1], that an image is of the task's kind for it to be read."""
        return self.shelf.profile.settings.domain_probability

    @property
    def card(self) -> Marked | None:
        """The bundle's model card; None where it brings none."""
        return marked(self.shelf.card) if self.shelf.card else None

    @property
    def training_data(self) -> tuple[TrainingData, ...]:
        """What the bundle was trained on."""
        return self.shelf.bundle.training_data if self.shelf.bundle else ()

    @property
    def base_weights(self) -> tuple[BaseWeights, ...]:
        """What it started from."""
        return self.shelf.bundle.base_weights if self.shelf.bundle else ()

    @property
    def versions(self) -> dict[str, str]:
        """What answers here."""
        bundle, index = self.shelf.bundle, self.shelf.index.info
        held = f", weights in {self.info.precision}" if self.info.precision else ""
        said = {
            "app": __version__,
            "bundle": self.info.bundle,
            "bundle, fingerprint": bundle_fingerprint(bundle) if bundle else "",
            "bundle, written by app": bundle.code_version if bundle else "",
            "reader": f"{self.info.reader}{held}" if self.info.reader else "",
            "collection": f"{self.info.index} ({self.info.index_size:,} cases)",
            "collection, encoder": index.encoder_fingerprint,
        }
        return {name: value for name, value in said.items() if value}

    @property
    def papers(self) -> dict[str, str]:
        """Title -> address."""
        return text.PAPERS
