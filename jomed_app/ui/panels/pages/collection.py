"""Collection: which known cases are searched, how they are known, and how to take others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from jomed_app.evaluation.collection.groups import Groups, group_collection
from jomed_app.evaluation.collection.map import MOST_COMPARED, map_collection, nearest_agree
from jomed_app.inference.calibration.profile import read_profile
from jomed_app.inference.calibration.reliability import wilson_interval
from jomed_app.retrieval.manifest import IndexManifest
from jomed_app.storage.bundle import bundle_fingerprint
from jomed_app.storage.sealing import MANIFEST_FILE
from jomed_app.ui.panels.pages.beside import Beside, collections_beside
from jomed_app.ui.panels.pages.frame import Page
from jomed_app.ui.panels.pages.map import Map
from jomed_app.ui.panels.pages.shelf import ROOT, Shelf

UNSAID = "not stated"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often the nearest case of another group has the same diagnosis.

    Attributes:
        same, of: cases.
        interval: of the share, 95 %.
    """

    same: int
    of: int
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class CollectionPage(Page):
    """The page; made by `of`, which takes about a second for some hundred cases.

    Attributes:
        map: of all cases.
        known: how diagnoses are known -> cases; licences, sources: the same of those.
        groups: near-duplicates; None in a collection too large to look for them here.
        nearest: None likewise.
        beside: other collections.
    """

    map: Map
    known: dict[str, int]
    licences: dict[str, int]
    sources: dict[str, int]
    groups: Groups | None
    nearest: Agreement | None
    beside: tuple[Beside, ...]

    @classmethod
    def of(cls, shelf: Shelf) -> CollectionPage:
        """Return the page of the collection that is searched."""
        index = shelf.index
        records = [index.candidate(each) for each in index.ids]
        labels = [record.label for record in records]
        vectors = index.vectors("image")
        groups = nearest = None
        if len(records) <= MOST_COMPARED:
            groups = group_collection(index)
            same, counted = nearest_agree(vectors, labels, [groups.of[each] for each in index.ids])
            nearest = Agreement(same, counted, wilson_interval(same, counted))

        def said(name: str) -> dict[str, int]:
            words = Counter(record.provenance.get(name, "") or UNSAID for record in records)
            return dict(words.most_common())

        return cls(
            shelf,
            map=Map.of(map_collection(vectors), labels, shelf.info.task.labels),
            known=said("label_made"),
            licences=said("licence"),
            sources=said("source"),
            groups=groups,
            nearest=nearest,
            beside=collections_beside(ROOT, index.path, index.info.encoder_fingerprint),
        )

    @property
    def manifest(self) -> IndexManifest:
        """Of the collection."""
        return self.shelf.index.info

    @property
    def mix(self) -> list[tuple[str, int, float]]:
        """Label, cases, share in [0, 1]; in the task's order."""
        counts = self.manifest.labels
        order = [name for name in self.info.task.labels if name in counts]
        order += sorted(set(counts) - set(order))
        return [(name, counts[name], counts[name] / self.manifest.count) for name in order]

    @property
    def unseen(self) -> list[str]:
        """Labels of the task that no case of the collection has."""
        return [name for name in self.info.task.labels if name not in self.manifest.labels]

    @property
    def written(self) -> str:
        """Day on which its manifest was written on this machine, by the clock of the world."""
        seconds = (self.shelf.index.path / MANIFEST_FILE).stat().st_mtime
        day = datetime.fromtimestamp(seconds, UTC)
        return f"{day.day} {day:%B %Y}"

    @property
    def fitted(self) -> str:
        """What was measured when answers were fitted to these very cases; empty if never."""
        bundle = self.shelf.bundle
        stored = self.manifest.calibrated.get(bundle_fingerprint(bundle)) if bundle else None
        return read_profile(stored).measured_on if isinstance(stored, dict) else ""

    @property
    def folder(self) -> str:
        """Where it lies, for commands: inside the installation, or the folder's name alone."""
        path = self.shelf.index.path.resolve()
        return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name

    @property
    def most_compared(self) -> int:
        """Cases up to which near-duplicates are looked for here."""
        return MOST_COMPARED
