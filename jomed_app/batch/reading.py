"""One file after the other: what is finished is kept, what fails is a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jomed_app.batch.files import content_key
from jomed_app.batch.folder import BatchFolder, Failure
from jomed_app.batch.settings import BatchSettings
from jomed_app.errors import (
    BundleError,
    ConfigError,
    DecodingEndedError,
    ImageError,
    JomedError,
    MemoryShortError,
    RemoteError,
    StorageError,
    record_incident,
)
from jomed_app.export.dicom.study import read_study
from jomed_app.export.kinds import KINDS, export
from jomed_app.export.replay import open_picture
from jomed_app.export.saved import SavedResult, saved
from jomed_app.imaging import turned_over
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.inference.engine import Engine
from jomed_app.storage.durable import storage_fault, write_file
from jomed_app.types import Completed, ImageRecord, Result

# What the next file would fail of alike.
ENDS_ALL = (BundleError, ConfigError, MemoryShortError, RemoteError, StorageError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes:
        key: hash of its content; None where it cannot be read.
        error: why it has no result, None where it has one.
        was_done: an earlier run had finished it.
    """

    key: str | None
    error: str | None = None
    was_done: bool = False


def answer(engine: Engine, image: ImageRecord, settings: BatchSettings) -> Result:
    """Return what an engine says of one decoded image, asked as the settings say.

    Raises:
        JomedError: if the engine refuses it.
    """
    events = engine.run(
        image,
        question=settings.question,
        k=settings.k,
        retrieval=settings.retrieval,
        anyway=settings.anyway,
    )
    completed = list(events)[-1]
    assert isinstance(completed, Completed), "the engine's last event carries the result"
    return completed.result


class CaseTaker:
    """Reads files with one engine and writes what it finds; several may write to one folder.

    Args:
        engine: reads.
        settings: how.
        kinds: exports that are made of each case.
        folder: where all is kept.
    """

    def __init__(
        self, engine: Engine, settings: BatchSettings, kinds: tuple[str, ...], folder: BatchFolder
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.kinds = kinds
        self.folder = folder

    def take(self, path: Path) -> Outcome:
        """Read one file, unless that was done already.

        Raises:
            JomedError: one of `ENDS_ALL`, which would stop every other file too.
        """
        try:
            key = content_key(path)
        except ImageError as error:
            return Outcome(None, str(error))
        try:
            return self._take(key, path)
        except ENDS_ALL:
            raise
        except JomedError as error:
            failure = Failure(error=str(error), is_final=not isinstance(error, DecodingEndedError))
        except Exception as error:
            if fault := storage_fault(error):
                raise StorageError(
                    f"--out must lie where there is room and permission to write, found: {fault}; "
                    "make room or choose another place"
                ) from error
            incident = record_incident(error)
            words = f"something went wrong on our side; incident {incident}"
            failure = Failure(error=words, is_final=False)
        self.folder.keep_failure(key, failure)
        return Outcome(key, failure.error)

    def _take(self, key: str, path: Path) -> Outcome:
        known = self.folder.saved(key)
        failed = None if known else self.folder.failure(key)
        if failed is not None and failed.is_final:
            return Outcome(key, failed.error, was_done=True)
        missing = [kind for kind in self.kinds if not self.folder.export_path(key, kind).is_file()]
        if known is not None and not [kind for kind in missing if kind != "json"]:
            return Outcome(key, was_done=True)
        image, found = None, known
        if found is None:
            image = self._open(path)
            found = self._read(image)
        self._export(key, path, found, image, [kind for kind in missing if kind != "json"])
        if known is None:  # last: a case that is there has all its exports
            self.folder.keep(key, found)
        return Outcome(key)

    def _open(self, path: Path) -> ImageRecord:
        image = read_untrusted(path, region=self.settings.region)
        return turned_over(image) if self.settings.invert else image

    def _read(self, image: ImageRecord) -> SavedResult:
        return saved(answer(self.engine, image, self.settings), image, self.engine.info.hashes)

    def _export(
        self,
        key: str,
        path: Path,
        found: SavedResult,
        image: ImageRecord | None,
        kinds: list[str],
    ) -> None:
        if not kinds:
            return
        study = read_study(path) if self.settings.keep_study else None
        if image is None and any(KINDS[kind].shows_picture for kind in kinds):
            image = open_picture(found, path)
        for kind in kinds:
            content = export(kind, found, image, study)
            write_file(self.folder.export_path(key, kind), content)
