"""A deterministic stand-in for the engine: generated images, fixed numbers, the real types."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.reliability.screens.layouts import LAYOUTS, draw_screen
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
from jomed_app.data.tasks.assessment import Assessment
from jomed_app.data.tasks.report_words import ReportWords
from jomed_app.errors import CancelledError, ImageError
from jomed_app.inference.calibration.cutoffs import Cutoff
from jomed_app.inference.conclusion.what_if import moved_candidates
from jomed_app.simulator.case import simulate_case
from jomed_app.types import (
    BoxesReady,
    BoxResult,
    CandidateRead,
    CandidateResult,
    CandidatesFound,
    Check,
    ChecksDone,
    Completed,
    Consistency,
    ConsistencyState,
    DroppedCandidate,
    Event,
    FinalReady,
    FinalResult,
    Head,
    HeatMap,
    ImageRecord,
    Moved,
    OperatingPoint,
    Result,
    Retrieval,
    Timings,
    Versions,
)
from tests.ui.fake_values import (
    DESCRIPTORS,
    FAINT_PERCENTILES,
    FAINT_WEIGHTS,
    FINDINGS,
    FOUND,
    KNOWN,
    LABELS,
    OTHER_RANK,
    PASSAGES,
    PERCENTILES,
    POINTS,
    READ,
    REPORT,
    WEIGHTS,
    heat_map,
    known_box,
)

ASKED = "The image looks inverted. Read it inverted, or go on as it is."


def picture(seed: int, rows: int = 256, columns: int = 256) -> NDArray[np.uint8]:
    """Return (rows, columns) uint8: layered speckle with one dark ellipse, made from the seed."""
    rng = np.random.default_rng(seed)
    speckle = rng.rayleigh(0.5, (rows // 2, columns // 2))
    speckle = np.kron(speckle, np.ones((2, 2)))[:rows, :columns]
    speckle = np.pad(
        speckle, ((0, rows - speckle.shape[0]), (0, columns - speckle.shape[1])), "edge"
    )
    y, x = np.mgrid[0:rows, 0:columns]
    depth = y / rows
    layers = 0.6 + 0.4 * np.sin(depth * 22 + seed) * np.exp(-3 * depth)
    center_x, center_y = columns * (0.4 + 0.03 * (seed % 7)), rows * 0.45
    inside = ((x - center_x) / (columns * 0.17)) ** 2 + ((y - center_y) / (rows * 0.13)) ** 2 < 1
    shade = np.where(inside, 0.18, 1.0)
    image = 150 * layers * speckle**0.7 * shade * (1 - 0.5 * depth)
    return np.clip(image, 0, 255).astype(np.uint8)


def inverted_png_bytes(seed: int = 0) -> bytes:
    """Return a generated picture with black and white exchanged as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(255 - picture(seed, 360, 480)).save(buffer, format="PNG")
    return buffer.getvalue()


def machine_screen_png() -> bytes:
    """Return a simulated case on the screen of a machine, 1024 x 768 px, as PNG bytes."""
    gray = simulate_case(3).image
    tissue = np.repeat(gray[: len(gray) - 60, 16 : gray.shape[1] - 70, None], 3, axis=2)
    screen = draw_screen(tissue, LAYOUTS["text on black"], np.random.default_rng(0))
    buffer = io.BytesIO()
    Image.fromarray(screen.pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def png_bytes(seed: int = 0, rows: int = 360, columns: int = 480) -> bytes:
    """Return a generated picture as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture(seed, rows, columns)).save(buffer, format="PNG")
    return buffer.getvalue()


def _heads(place: int, is_faint: bool) -> tuple[Head, ...]:
    """Return the searches that found the case of a place."""
    if is_faint and place > 1:
        return ("text",)
    return ("image", "text") if place == 0 else ("image",)


def _box(
    rows: int, columns: int, edges: tuple[float, float, float, float], score: float, label: str
) -> BoxResult:
    x0, y0, x1, y1 = edges
    return BoxResult(
        x0=columns * x0, y0=rows * y0, x1=columns * x1, y1=rows * y1, score=score, label=label
    )


@dataclass(frozen=True)
class FakeTask:
    """The parts of a task that the screen reads."""

    name: str = "breast ultrasound"
    question: str = "What is the diagnosis?"
    labels: tuple[str, ...] = LABELS
    has_boxes: bool = True
    positive_label: str = "malignant"
    finding: str = "lesion"
    assessment: Assessment = field(default_factory=lambda: load_task("breast").assessment)
    descriptors: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: load_task("breast").descriptors
    )
    report: ReportWords | None = field(default_factory=lambda: load_task("breast").report)


@dataclass(frozen=True)
class FakeInfo:
    """The parts of `EngineInfo` that the screen reads."""

    bundle: str = "fake 1"
    index: str = "fake-index 1"
    index_size: int = 1200
    task: FakeTask = field(default_factory=FakeTask)
    box_threshold: float = 0.5
    error_rates: dict[str, float] = field(
        default_factory=lambda: {"consistent": 0.06, "mixed": 0.14, "disagree": 0.31}
    )
    measured_on: str = "40 fake images"
    standard: FakeInfo | None = None
    box_operating_points: tuple[OperatingPoint, ...] = POINTS
    cutoffs: tuple[Cutoff, ...] = ()
    site_point: int = 0
    opens_with: str = "joint"
    sent_to: str = ""
    reader: str | None = "fake reader (0123abcd)"
    precision: str | None = "bf16"
    hashes: dict[str, str] = field(default_factory=lambda: {"bundle": "b" * 64, "index": "1" * 64})


@dataclass
class FakeEngine:
    """Follows the engine's contract; `fault` is raised in place of the second event.

    An image of `faint_columns` has no similar case: two were found by text and hardly count.
    """

    info: FakeInfo = field(default_factory=FakeInfo)
    state: ConsistencyState = ConsistencyState.DISAGREE
    fault: Exception | None = None
    slow_columns: int = 0
    faint_columns: int = 0
    num_runs: int = 0
    counter: str = "case-9"
    heatmap: HeatMap | None = field(default_factory=heat_map)

    def run(
        self,
        image: ImageRecord,
        *,
        question: str | None = None,
        k: int | None = None,
        retrieval: Retrieval = "joint",
        anyway: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yield the events of one case."""
        self.num_runs += 1
        rows, columns = image.model_input.shape[:2]
        if min(rows, columns) < 8:
            raise ImageError("an image must have at least 8 pixels a side; use another file")
        domain = Check(
            name="domain",
            passed=self.state is not ConsistencyState.ABSTAIN,
            value=0.93,
            message="similar to the images that the bundle was made for",
        )
        info = image.info.model_copy(update={"checks": (*image.info.checks, domain)})
        asks = ("inversion",) if (image.content.uprightness or 0.0) < 0 else ()
        if asks:
            guess = Check(name="inversion", passed=False, message="The image looks inverted.")
            kept = [check for check in info.checks if check.name != "inversion"]
            overruled = asks if anyway else ()
            info = info.model_copy(update={"checks": (*kept, guess), "overruled": overruled})
        yield ChecksDone(info)
        if self.fault is not None:
            raise self.fault
        if asks and not anyway:
            final = FinalResult(
                prediction=None, probabilities={}, abstained=True, reason=ASKED, asks=asks
            )
            consistency = Consistency(state=ConsistencyState.ABSTAIN)
            yield FinalReady(final, consistency)
            yield Completed(
                Result(
                    versions=Versions(app="0.1", bundle=self.info.bundle, index=self.info.index),
                    input=info,
                    question=question or self.info.task.question,
                    final=final,
                    consistency=consistency,
                )
            )
            return
        is_faint = columns == self.faint_columns
        weights = FAINT_WEIGHTS if is_faint else WEIGHTS
        percentiles = FAINT_PERCENTILES if is_faint else PERCENTILES
        found = [
            CandidateResult(
                rank=place + 1,
                candidate_id=f"case-{number}",
                heads=_heads(place, is_faint),
                retriever_score=0.9 - place * 0.05,
                weight=weights[place],
                similarity_percentile=PERCENTILES[place],
                image_percentile=percentiles[place],
                label=self.candidate(f"case-{number}").label,
                passage=self.candidate(f"case-{number}").passage,
                provenance=self.candidate(f"case-{number}").provenance,
                rows=480,
                columns=480,
                boxes=self.candidate(f"case-{number}").boxes,
                other_rank=OTHER_RANK[retrieval][number],
            )
            for place, number in enumerate(FOUND[retrieval])
        ]
        dropped = self._dropped(retrieval)
        yield CandidatesFound(tuple(found), dropped, not is_faint)
        for number, candidate in enumerate(found):
            if columns == self.slow_columns:
                time.sleep(0.5)
            if cancel is not None and cancel():
                raise CancelledError("the run was asked to stop; start it again")
            probabilities = dict(zip(LABELS, READ[number], strict=True))
            found[number] = candidate.model_copy(
                update={
                    "prediction": max(probabilities, key=lambda name: probabilities[name]),
                    "probabilities": probabilities,
                    "answer_log_likelihood": -1.5,
                }
            )
            yield CandidateRead(found[number])
        final, consistency = self._conclude(tuple(found))
        yield FinalReady(final, consistency)
        boxes = (
            _box(rows, columns, (0.24, 0.31, 0.58, 0.6), 0.81, "malignant"),
            _box(rows, columns, (0.7, 0.65, 0.85, 0.8), 0.34, "benign"),
        )
        yield BoxesReady(boxes, FINDINGS, REPORT)
        yield Completed(
            Result(
                versions=Versions(app="0.1", bundle=self.info.bundle, index=self.info.index),
                input=info,
                question=question or self.info.task.question,
                candidates=tuple(found),
                final=final,
                consistency=consistency,
                boxes=boxes,
                findings=FINDINGS,
                report=REPORT,
                timings_ms=Timings(decode=3, retrieve=12, read=840, total=870),
                retrieval=retrieval,
                dropped=dropped,
                has_similar=not is_faint,
                heatmap=None if columns == self.slow_columns else self.heatmap,
            )
        )

    def recompute(
        self,
        result: Result,
        removed: Collection[str] = (),
        *,
        factors: Mapping[str, float] | None = None,
        image_share: float | None = None,
    ) -> Result:
        """Return the result of the candidates that stay, with weights that sum to 1."""
        moved = Moved(factors=dict(factors or {}), removed=tuple(sorted(removed)))
        if moved.is_nothing:
            return result
        kept = moved_candidates(result, moved)
        final, consistency = self._conclude(tuple(kept))
        return result.model_copy(
            update={
                "candidates": tuple(kept),
                "final": final.model_copy(update={"interval": None}),
                "consistency": consistency,
                "moved": moved,
            }
        )

    def candidate(self, candidate_id: str) -> CaseRecord:
        """Return a generated record."""
        number = int(candidate_id.split("-")[1])
        return CaseRecord(
            case_id=candidate_id,
            image=f"images/{candidate_id}.png",
            label=KNOWN[number] if number < 4 else "benign",
            passage=PASSAGES[number] if number < 4 else "Oval circumscribed anechoic mass.",
            descriptors=DESCRIPTORS.get(number, {}),
            boxes=(known_box(number),) if number != 3 else (),
            rows=480,
            columns=480,
            provenance={
                "source": "simulated breast ultrasound",
                "label": "known by construction",
                "licence": "Apache-2.0",
            },
        )

    def candidate_image(self, candidate_id: str) -> NDArray[np.uint8]:
        """Return (256, 256, 3) uint8."""
        gray = picture(int(candidate_id.split("-")[1]) + 20)
        return np.repeat(gray[..., None], 3, axis=2)

    def _dropped(self, retrieval: Retrieval) -> tuple[DroppedCandidate, ...]:
        """Return what the other search shows and this one does not."""
        other = FOUND["standard" if retrieval == "joint" else "joint"]
        return tuple(
            DroppedCandidate(candidate_id=name, rank=rank, label=self.candidate(name).label)
            for rank, name in enumerate((f"case-{number}" for number in other), start=1)
            if int(name[-1]) not in FOUND[retrieval]
        )

    def _conclude(self, candidates: tuple[CandidateResult, ...]) -> tuple[FinalResult, Consistency]:
        """Return the weighted sum and what the candidates say one by one."""
        sums = {
            name: sum(item.weight * item.probabilities[name] for item in candidates)
            for name in LABELS
        }
        counts: dict[str, int] = {}
        for item in candidates:
            counts[str(item.prediction)] = counts.get(str(item.prediction), 0) + 1
        is_abstained = self.state is ConsistencyState.ABSTAIN
        best = max(sums, key=lambda name: sums[name])
        final = FinalResult(
            prediction=None if is_abstained else best,
            probabilities=sums,
            interval=None if is_abstained else (max(0.0, sums[best] - 0.14), sums[best] + 0.1),
            query_only_prediction="benign",
            abstained=is_abstained,
            reason="the image is unlike those in the corpus" if is_abstained else None,
        )
        state = self.state
        if state is ConsistencyState.DISAGREE and len(counts) == 1:
            state = ConsistencyState.CONSISTENT
        return final, Consistency(
            state=state,
            counts=counts,
            decisive_candidate=self._decisive(candidates, best),
            counter_candidate=self.counter,
        )

    def _decisive(self, candidates: tuple[CandidateResult, ...], best: str) -> str | None:
        """Return the first candidate without which another class leads."""
        for gone in candidates:
            kept = [item for item in candidates if item is not gone]
            if not kept:
                return None
            sums = {
                name: sum(item.weight * item.probabilities[name] for item in kept)
                for name in LABELS
            }
            if max(sums, key=lambda name: sums[name]) != best:
                return gone.candidate_id
        return None
