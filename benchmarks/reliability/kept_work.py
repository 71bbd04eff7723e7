"""Work that keeps something on disk, small enough to be killed at every one of its steps.

Each kind is written by the code that ships; only the models are tiny and know nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from jomed_app.data.records import CaseRecord, read_records
from jomed_app.errors import JomedError
from jomed_app.retrieval.build import add_to_index, build_index
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.simulator import write_cases
from jomed_app.storage.bundle import open_bundle, write_manifest
from jomed_app.storage.durable import clear_interrupted, whole_folder, write_file
from jomed_app.training.retriever.answer_cache import AnswerCache
from jomed_app.training.run.loop import LoopSettings, run_loop
from jomed_app.types import Frozen, Head

DIM = 8
CASES = 6


@dataclass(frozen=True, slots=True)
class KeptWork:
    """A command that keeps something.

    Attributes:
        run: does it in a folder, goes on where an earlier call was killed.
        read: what a later command finds there, as text; raises where it is half-written.
    """

    run: Callable[[Path], object]
    read: Callable[[Path], str]


class _Encoder:
    """Images by their mean gray in a few cells, passages by their hash."""

    fingerprint = "drawn"
    dim = DIM

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return _unit(np.stack([image.reshape(-1)[:: image.size // DIM][:DIM] for image in images]))

    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        digests = [hashlib.sha256(passage.encode()).digest()[:DIM] for passage in passages]
        return _unit(np.array([list(digest) for digest in digests]))

    def encode_query(self, image: NDArray[np.uint8]) -> dict[Head, NDArray[np.float32]]:
        row = self.encode_images([image])[0]
        return {"image": row, "text": row}


def _unit(rows: NDArray[np.generic]) -> NDArray[np.float32]:
    shifted = rows.astype(np.float32) + np.float32(1.0)
    norms: NDArray[np.float32] = np.linalg.norm(shifted, axis=1, keepdims=True)
    return shifted / norms


def _corpus(folder: Path) -> tuple[Path, list[CaseRecord]]:
    """A few simulated cases, written once beside the work."""
    corpus = folder.parent / "corpus"
    if not (corpus / "records.jsonl").is_file():
        write_cases(CASES, corpus, size_px=64, workers=1)
    return corpus, read_records(corpus)


def _train(folder: Path) -> None:
    """Twelve steps of the loop that every stage runs, a checkpoint at every third."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)

    def step_loss(step: int) -> dict[str, Tensor]:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        return {"loss": (model(x) - x[:, :2] * 2).square().mean()}

    settings = LoopSettings(steps=12, lr=0.05, checkpoint_every=3, average=0.5)
    run_loop({"model": model}, step_loss, settings, folder / "run", resume=True)
    final = {name: value.tolist() for name, value in model.state_dict().items()}
    write_file(folder / "run" / "final.json", json.dumps(final))


def _read_run(folder: Path) -> str:
    final = (folder / "run" / "final.json").read_text(encoding="utf-8")
    return (
        final + hashlib.sha256((folder / "run" / "checkpoint.safetensors").read_bytes()).hexdigest()
    )


def _build(folder: Path) -> None:
    corpus, records = _corpus(folder)
    build_index(records[:4], corpus, _Encoder(), folder / "index", name="kept")


def _grow(folder: Path) -> None:
    """Build, then add: the second replaces the first in its place."""
    corpus, records = _corpus(folder)
    index = folder / "index"
    clear_interrupted(index)
    if not index.is_dir():
        build_index(records[:4], corpus, _Encoder(), index, name="kept")
    if len(CandidateIndex.load(index, "drawn")) < CASES:
        add_to_index(index, records[4:], corpus, _Encoder())


def _read_index(folder: Path) -> str:
    index = CandidateIndex.load(folder / "index", "drawn")
    return index.info.to_text() + str(index.vectors("image").tolist())


def _export(folder: Path) -> None:
    """A bundle in the place of another, as `bundle export` puts it there; its parts are bytes."""
    for version in ("1", "2"):
        with whole_folder(folder / "bundle") as partial:
            (partial / "reader").mkdir()
            (partial / "reader" / "model.safetensors").write_bytes(version.encode() * 1000)
            write_manifest(partial, name="kept", version=version, task="breast", labels=("a", "b"))


def _read_bundle(folder: Path) -> str:
    return open_bundle(folder / "bundle").manifest.to_text()


class _Report(Frozen):
    """As long as a result."""

    text: str = Field(default="finding " * 500)


def _report(folder: Path) -> None:
    for name in ("result.json", "report.json"):
        write_file(folder / name, _Report().model_dump_json())


def _read_report(folder: Path) -> str:
    return "".join(
        _Report.model_validate_json((folder / name).read_bytes()).text
        for name in ("result.json", "report.json")
    )


def _cache(folder: Path) -> None:
    cache = AnswerCache(folder / "answers.npz", "reader")
    for query in range(4):
        if query not in cache:
            cache.add(query, [1, 2], np.full((2, 3), query, np.float32), np.zeros(3, np.float32))
            cache.save()


def _read_cache(folder: Path) -> str:
    cache = AnswerCache(folder / "answers.npz", "reader")
    return str([(query, cache[query].log_likelihood.tolist()) for query in cache.queries])


def _simulate(folder: Path) -> None:
    write_cases(3, folder / "cases", size_px=64, workers=1)


def _read_cases(folder: Path) -> str:
    records = read_records(folder / "cases")
    images = [(folder / "cases" / record.image).read_bytes() for record in records]
    return str([hashlib.sha256(image).hexdigest() for image in images]) + str(records)


KEPT_WORK = {
    "checkpoint": KeptWork(_train, _read_run),
    "index build": KeptWork(_build, _read_index),
    "index add": KeptWork(_grow, _read_index),
    "bundle export": KeptWork(_export, _read_bundle),
    "result and report": KeptWork(_report, _read_report),
    "read cache": KeptWork(_cache, _read_cache),
    "simulated corpus": KeptWork(_simulate, _read_cases),
}


def faults_after(work: KeptWork, folder: Path, expected: str) -> list[str]:
    """What is wrong in a folder where the work was killed: what is there, then after going on.

    Args:
        work: what was killed.
        folder: as the kill left it.
        expected: what an unbroken run gives.

    Returns:
        Sentences; none where nothing was lost or half-written, and the work went on to its end.
    """
    found = []
    try:
        work.read(folder)
    except (JomedError, FileNotFoundError):
        pass  # not there yet, or said in a sentence
    except Exception as error:
        found.append(f"half-written: {type(error).__name__}")
    try:
        work.run(folder)
        if work.read(folder) != expected:
            found.append("went on to another end than an unbroken run")
    except Exception as error:
        found.append(f"did not go on: {type(error).__name__}: {error}")
    left = [path.name for path in folder.rglob(".*")]
    if left:
        found.append(f"left behind after going on: {left}")
    return found
