"""The engine: one case in, typed events out, a Result at the end. Knows no page and no files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.errors import CancelledError
from jomed_app.inference.aggregate import guided_log_prob, head_log_weights
from jomed_app.inference.assemble import (
    found_candidate,
    image_opinion,
    read_candidate,
    shown_findings,
    vote_of_nearest,
    with_conclusion,
)
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.inference.candidate_cache import CandidateShelf, encode_images
from jomed_app.inference.case_reader import CaseReader, Description, describe_shares
from jomed_app.inference.checks import domain_check, refusal
from jomed_app.inference.clock import Clock
from jomed_app.inference.conclude import Conclusion, conclude
from jomed_app.inference.ensemble import Opinions
from jomed_app.inference.settings import EngineInfo, EngineSettings, Profile
from jomed_app.inference.two_searches import RETRIEVALS, search_both
from jomed_app.models.heads import DomainHead, LinearHead
from jomed_app.models.localizer.detection import Found
from jomed_app.models.localizer.localizer import Localizer
from jomed_app.models.pixels import Letterbox, letterbox
from jomed_app.models.reader.packed import Reader
from jomed_app.models.retriever.embedded import Retriever
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.types import (
    BoxesReady,
    CandidateRead,
    CandidateResult,
    CandidatesFound,
    ChecksDone,
    Completed,
    Event,
    FinalReady,
    ImageRecord,
    InputInfo,
    Result,
    Retrieval,
)


class Engine:
    """Runs cases. Holds no case: everything it keeps is read-only or a cache of the index.

    Args:
        reader, retriever: models that share one vision tower; localizer: has one of its own.
        backbone: the linear head on the tower; domain: refuses what is no image of the task.
        index: candidates.
        task: what is asked.
        settings, calibration: from the bundle.
        standard: the same for the search by similarity alone; None takes those for both searches.
        info: for the screen and for `versions`.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        retriever: Retriever,
        localizer: Localizer,
        backbone: LinearHead,
        domain: DomainHead,
        index: CandidateIndex,
        task: Task,
        settings: EngineSettings,
        calibration: Calibration,
        info: EngineInfo,
        standard: Profile | None = None,
    ) -> None:
        self.reader = reader
        self.retriever = retriever
        self.localizer = localizer
        self.backbone = backbone
        self.domain = domain
        self.index = index
        self.task = task
        self.settings = settings
        self.calibration = calibration
        self.info = info
        self.standard = standard
        self._case_reader = CaseReader(reader, task)
        self._shelf = CandidateShelf(self._case_reader, index)

    def candidate(self, candidate_id: str) -> CaseRecord:
        """Return a candidate's record."""
        return self.index.candidate(candidate_id)

    def candidate_image(self, candidate_id: str) -> NDArray[np.uint8]:
        """Return a candidate's (rows, columns, 3) uint8 image."""
        return self.index.image(candidate_id)

    def run(
        self,
        image: ImageRecord,
        *,
        question: str | None = None,
        k: int | None = None,
        retrieval: Retrieval | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Answer one case step by step.

        Args:
            image: the decoded query.
            question: asked instead of the task's own.
            k: candidates to read, about half from each head; None takes the bundle's.
            retrieval: the search whose candidates are read, None for `info.opens_with`; the
                other is made to compare. With untrained heads both are the standard one.
            cancel: asked between steps.

        Yields:
            ChecksDone, CandidatesFound, CandidateRead for each, FinalReady, BoxesReady, Completed;
            an image that is refused yields ChecksDone, FinalReady and Completed.

        Raises:
            CancelledError: if `cancel` said so; nothing is kept.
        """
        clock = Clock(image.decode_ms)
        question = question or self.task.question
        retrieval = retrieval or self.info.opens_with
        if not self.retriever.projections.has_trained_heads:
            retrieval = "standard"
        settings = self._profile(retrieval).settings
        query = encode_images(self.reader, [image.model_input])[0]
        features = self.retriever.features(query.tokens[None])[0]
        check = domain_check(self.domain, features, settings.domain_probability)
        info = image.info.model_copy(update={"checks": (*image.info.checks, check)})
        yield ChecksDone(info)
        reason = refusal(self.task, info)
        if reason is not None:
            conclusion = Conclusion.refused(reason)
            yield FinalReady(conclusion.final, conclusion.consistency)
            yield Completed(
                self._result(info, question, (), conclusion, None, image, clock, retrieval)
            )
            return

        own = self.index.ids_of_image(info.sha256)
        searched = search_both(
            self.retriever,
            self.index,
            query.tokens[None],
            retrieval=retrieval,
            k_per_head={each: self._profile(each).settings.k_per_head for each in RETRIEVALS},
            k=k,
            own=own,
        )
        hits, vector = searched.hits, searched.vectors["image"]
        log_weights = head_log_weights(
            [hit.relative_score for hit in hits],
            [hit.heads == ("text",) for hit in hits],
            settings.weight_temperature,
            settings.text_offset,
        )
        found = [
            found_candidate(self.index, hit, weight, searched.other_ranks.get(hit.candidate_id))
            for hit, weight in zip(hits, np.exp(log_weights).tolist(), strict=True)
        ]
        clock.mark("retrieve")
        yield CandidatesFound(tuple(found), searched.dropped)
        _stop_if(cancel)

        reading = self._case_reader.read(
            query, question, self._shelf.inputs([hit.candidate_id for hit in hits])
        )
        log_prob = guided_log_prob(reading.log_prob, reading.plain_log_prob, settings.guidance)
        read = [
            read_candidate(each, self.task, row, likelihood)
            for each, row, likelihood in zip(found, log_prob, reading.log_likelihood, strict=True)
        ]
        clock.mark("read")
        for candidate in read:
            yield CandidateRead(candidate)
        _stop_if(cancel)

        plain = self.task.labels[int(reading.plain_log_prob.argmax())]
        vote = vote_of_nearest(self.index, self.task, vector, own, settings)
        square = letterbox(image.model_input, self.localizer.config.image_size)
        located = self.localizer.find([square])[0]
        alone = image_opinion(self.task, located, self.backbone, features)
        conclusion = self._conclude(read, plain, vote, alone, retrieval)
        if conclusion.final.prediction is not None:
            named = conclusion.final.prediction
            counter = self.index.nearest_other_label(vector, "image", named, own)
            conclusion = conclusion.with_counter(counter.candidate_id if counter else None)
        yield FinalReady(conclusion.final, conclusion.consistency)
        _stop_if(cancel)

        shares = describe_shares(np.exp(log_weights))
        draft = self.index.candidate(read[0].candidate_id).descriptors
        description = self._case_reader.describe(
            reading, shares, conclusion.label_index, box=located.box, draft=draft
        )
        clock.mark("read")
        result = self._result(
            info, question, read, conclusion, (description, located), image, clock, retrieval
        ).model_copy(update={"dropped": searched.dropped})
        yield BoxesReady(result.boxes, result.findings, result.report)
        yield Completed(result)

    def recompute(self, result: Result, removed: Collection[str]) -> Result:
        """Return the result without some candidates; no model runs, boxes are kept.

        Without any candidate left, the result abstains and says why.
        """
        kept = [each for each in result.candidates if each.candidate_id not in removed]
        if len(kept) == len(result.candidates):
            return result
        if not kept:
            conclusion = Conclusion.refused("every candidate was removed; restore one of them")
            return with_conclusion(result, (), conclusion)
        total = sum(each.weight for each in kept)
        scaled = [each.model_copy(update={"weight": each.weight / total}) for each in kept]
        final = result.final
        said = final.query_only_prediction, final.neighbor_vote, final.image_head
        conclusion = self._conclude(scaled, *said, result.retrieval)
        counter = result.consistency.counter_candidate
        if counter is not None and self.candidate(counter).label == conclusion.final.prediction:
            others = [each for each in kept if each.label != conclusion.final.prediction]
            counter = others[0].candidate_id if others else None
        conclusion = conclusion.with_counter(counter)
        return with_conclusion(result, tuple(scaled), conclusion)

    def warm(self, limit: int | None = None) -> int:
        """Encode the index's candidates ahead of the first case; return how many are held."""
        return self._shelf.warm(limit)

    def _profile(self, retrieval: Retrieval) -> Profile:
        if retrieval == "standard" and self.standard is not None:
            return self.standard
        return Profile(self.settings, self.calibration)

    def _conclude(
        self,
        read: Sequence[CandidateResult],
        plain: str | None,
        vote: Mapping[str, float],
        image_head: Mapping[str, float],
        retrieval: Retrieval,
    ) -> Conclusion:
        profile = self._profile(retrieval)
        settings, new = profile.settings, self.task.index_only
        return conclude(
            read,
            plain,
            labels=self.task.labels,
            calibration=profile.calibration,
            max_spread=settings.max_spread,
            opinions=Opinions(vote, settings.vote_share, image_head, settings.image_share, new),
        )

    def _result(
        self,
        info: InputInfo,
        question: str,
        candidates: Sequence[CandidateResult],
        conclusion: Conclusion,
        found: tuple[Description, Found] | None,
        image: ImageRecord,
        clock: Clock,
        retrieval: Retrieval,
    ) -> Result:
        shown: dict[str, Any] = {}
        if found:
            rows, columns = image.model_input.shape[:2]
            place = Letterbox(rows, columns, self.localizer.config.image_size)
            label = self.task.labels[conclusion.label_index]
            score = self._profile(retrieval).calibration.boxes
            shown = shown_findings(*found, place, self.task, conclusion.final, label, score)
        return Result(
            versions=self.info.versions,
            input=info,
            question=question,
            candidates=tuple(candidates),
            final=conclusion.final,
            consistency=conclusion.consistency,
            timings_ms=clock.timings(),
            retrieval=retrieval,
            **shown,
        )


def _stop_if(cancel: Callable[[], bool] | None) -> None:
    if cancel is not None and cancel():
        raise CancelledError("the case was stopped as asked; nothing was kept, start it again")
