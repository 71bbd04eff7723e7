"""The engine: one case in, typed events out, a Result at the end. Knows no page and no files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.errors import CancelledError
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.inference.case_reader import CaseReader, describe_shares
from jomed_app.inference.checks import (
    asking,
    content_checks,
    domain_check,
    refusal,
    with_checks,
)
from jomed_app.inference.clock import Clock
from jomed_app.inference.conclusion.conclude import candidate_weights, conclude, weigh
from jomed_app.inference.conclusion.evidence import MOST_NEIGHBORS, gather
from jomed_app.inference.conclusion.what_if import moved_result
from jomed_app.inference.image_alone import image_probability
from jomed_app.inference.info import EngineInfo
from jomed_app.inference.own_place import place_of_reader
from jomed_app.inference.questions.open_questions import OpenQuestions
from jomed_app.inference.result import (
    described,
    found_candidate,
    read_candidate,
    refused,
    shown_findings,
    word_conclusion,
)
from jomed_app.inference.two_searches import RETRIEVALS, search_both
from jomed_app.models.heads import DomainHead, LinearHead
from jomed_app.models.localizer.detection import Detection
from jomed_app.models.localizer.localizer import Localizer
from jomed_app.models.pixels import Letterbox, letterbox
from jomed_app.models.reader.protocol import Description, Reader
from jomed_app.models.retriever.protocol import Retriever
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.similarity import likeness_of
from jomed_app.types import (
    BoxesReady,
    CandidateRead,
    CandidateResult,
    CandidatesFound,
    ChecksDone,
    Completed,
    Consistency,
    Event,
    FinalReady,
    FinalResult,
    ImageRecord,
    InputInfo,
    Moved,
    Result,
    Retrieval,
)


class Engine:
    """Runs cases. Holds no case: everything it keeps is read-only or a cache of the index.

    Args:
        reader, retriever: the models, by what they can do.
        localizer: says where the finding is; None leaves it to the reader.
        backbone: linear head on the retriever's features, None says nothing of the image alone;
            domain: refuses what is no image of the task, None refuses nothing.
        index: candidates.
        task: what is asked.
        profile: from the bundle, fitted beside this kind of corpus.
        standard: the same for the search by similarity alone; None takes one for both searches.
        info: for the screen and for `versions`.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        retriever: Retriever,
        localizer: Localizer | None,
        backbone: LinearHead | None,
        domain: DomainHead | None,
        index: CandidateIndex,
        task: Task,
        profile: Profile,
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
        self.profile = profile
        self.info = info
        self.standard = standard
        self._case_reader = CaseReader(reader, task)
        self._candidates = CandidateCache.of_index(reader, index)
        self._questions: OpenQuestions | None = None

    def candidate(self, candidate_id: str) -> CaseRecord:
        """Return a candidate's record."""
        return self.index.candidate(candidate_id)

    def candidate_image(self, candidate_id: str) -> NDArray[np.uint8]:
        """Return a candidate's (rows, columns, 3) uint8 image."""
        return self.index.image(candidate_id)

    @property
    def questions(self) -> OpenQuestions:
        """Questions with free answers, where the index holds cases that were asked.

        Raises:
            ConfigError: if it holds none.
        """
        if self._questions is None:
            self._questions = OpenQuestions(
                self.reader, self.retriever, self.index, self.profile_of
            )
        return self._questions

    def run(
        self,
        image: ImageRecord,
        *,
        question: str | None = None,
        k: int | None = None,
        retrieval: Retrieval | None = None,
        anyway: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Answer one case step by step.

        Args:
            image: the decoded query.
            question: asked instead of the task's own.
            k: candidates to read, about half from each head; None takes the bundle's.
            retrieval: the search whose candidates are read, None for `info.opens_with`; the
                other is made to compare. With untrained heads both are the standard one.
            anyway: go past checks that ask whether this is an image of the task, for research; the
                input of the result names them in `overruled`.
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
        if not self.retriever.has_trained_heads:
            retrieval = "standard"
        profile = self.profile_of(retrieval)
        settings = profile.settings
        query = self.reader.encode([image.model_input])[0]
        view = self.retriever.look(image.model_input, query)
        features = self.retriever.features(view)[0]
        checks = content_checks(self.task, image)
        if self.domain is not None:
            checks += (domain_check(self.domain, features, settings.domain_probability),)
        info = with_checks(image.info, checks)
        if anyway:
            info = info.model_copy(update={"overruled": asking(info)})
        yield ChecksDone(info)
        stop = refusal(self.task, info)
        if stop is not None:
            final, consistency = refused(stop.reason, stop.asks)
            yield FinalReady(final, consistency)
            yield Completed(
                self._result(info, question, (), final, consistency, {}, clock, retrieval)
            )
            return

        own = self.index.ids_of_image(image.sha256)
        searched = search_both(
            self.retriever,
            self.index,
            view,
            retrieval=retrieval,
            k_per_head={each: self.profile_of(each).settings.k_per_head for each in RETRIEVALS},
            k=k,
            own=own,
        )
        hits, vector = searched.hits, searched.vectors["image"]
        likeness = likeness_of(
            self.index,
            self.index.similarity,
            self.retriever.query_vectors(view, trained=False)["image"],
            [hit.candidate_id for hit in hits],
            own,
        )
        weights = np.exp(
            candidate_weights(
                np.array([hit.relative_score for hit in hits]),
                np.array([hit.heads == ("text",) for hit in hits]),
                settings,
            )
        )
        found = [
            found_candidate(
                self.index,
                hit,
                weight,
                searched.other_ranks.get(hit.candidate_id),
                likeness.percentiles.get(hit.candidate_id),
            )
            for hit, weight in zip(hits, weights.tolist(), strict=True)
        ]
        clock.mark("retrieve")
        yield CandidatesFound(tuple(found), searched.dropped, likeness.has_similar)
        _stop_if(cancel)

        reading = self._case_reader.read(
            query, question, self._candidates.inputs([hit.candidate_id for hit in hits])
        )
        evidence = gather(
            hits,
            self.index.search(vector, "image", MOST_NEIGHBORS, own),
            self.index,
            self.task.labels,
            candidates=reading.log_prob,
            alone=reading.alone_log_prob,
            new=self.task.index_only,
        )
        said = weigh(evidence, settings).candidates
        assert said is not None, "candidates were read"
        read = [
            read_candidate(each, self.task, row, likelihood)
            for each, row, likelihood in zip(found, said, reading.log_likelihood, strict=True)
        ]
        clock.mark("read")
        for candidate in read:
            yield CandidateRead(candidate)
        _stop_if(cancel)

        located = None
        if self.localizer is not None:
            square = letterbox(image.model_input, self.localizer.config.image_size)
            located = self.localizer.find([square])[0]
        alone = image_probability(self.task, located, self.backbone, features)
        conclusion = conclude(replace(evidence, image=alone), profile)
        label = self.task.labels[int(conclusion.log_prob.argmax())]
        counter = self.index.nearest_other_label(vector, "image", label, own)
        final, consistency = word_conclusion(
            conclusion,
            self.task.labels,
            [hit.candidate_id for hit in hits],
            counter=counter.candidate_id if counter else None,
        )
        yield FinalReady(final, consistency)
        _stop_if(cancel)

        draft = self.index.candidate(read[0].candidate_id).descriptors
        description = self._case_reader.describe(
            reading,
            describe_shares(weights),
            self.task.labels.index(label),
            box=located.box if located else None,
            draft=draft,
        )
        clock.mark("read")
        if located is None:
            shown = described(description, self.task, label) | place_of_reader(
                self.reader, query, question, image, self.task, final, label
            )
        else:
            shown = self._shown(image, description, located, final, label, profile)
        result = self._result(
            info, question, read, final, consistency, shown, clock, retrieval
        ).model_copy(update={"dropped": searched.dropped, "has_similar": likeness.has_similar})
        yield BoxesReady(result.boxes, result.findings, result.report)
        yield Completed(result)

    def recompute(
        self,
        result: Result,
        removed: Collection[str] = (),
        *,
        factors: Mapping[str, float] | None = None,
        image_share: float | None = None,
    ) -> Result:
        """Return the result as it would be with other weights; no model runs, boxes are kept.

        Args:
            result: of `run`.
            removed: candidates left out; without any left, the result abstains and says why.
            factors: candidate id -> factor of its weight; 1 for one that is not named.
            image_share: of the image alone in the sum, in [0, 1]; None as it was fitted.

        Returns:
            The result with what was `moved` in it; itself where that is nothing.

        Raises:
            ValueError: if a factor or the share is out of range, or something was moved before.
        """
        known = {each.candidate_id for each in result.candidates}
        moved = Moved(
            factors={
                name: factor
                for name, factor in sorted((factors or {}).items())
                if factor != 1 and name in known.difference(removed)
            },
            image_share=image_share if result.final.image_head else None,
            removed=tuple(sorted(known.intersection(removed))),
        )
        if moved.is_nothing:
            return result
        if result.moved is not None:
            raise ValueError("weights are moved in the result of a run, found a moved one")
        return moved_result(
            result,
            moved,
            self.task,
            self.profile_of(result.retrieval),
            lambda name: self.candidate(name).label,
        )

    def warm(self, limit: int | None = None, cancel: Callable[[], bool] | None = None) -> int:
        """Encode the index's candidates ahead of the first case; return how many are held.

        Args:
            limit: so many; None takes all.
            cancel: asked between batches; what is held by then stays.
        """
        return self._candidates.warm(limit, cancel)

    def profile_of(self, retrieval: Retrieval) -> Profile:
        """The profile that a search is concluded with."""
        return self.standard if retrieval == "standard" and self.standard else self.profile

    def _shown(
        self,
        image: ImageRecord,
        description: Description,
        located: Detection,
        final: FinalResult,
        label: str,
        profile: Profile,
    ) -> dict[str, Any]:
        assert self.localizer is not None, "it has located the finding"
        place = Letterbox.of_record(image, self.localizer.config.image_size)
        score = profile.calibration.boxes
        return shown_findings(description, located, place, self.task, final, label, score)

    def _result(
        self,
        info: InputInfo,
        question: str,
        candidates: Sequence[CandidateResult],
        final: FinalResult,
        consistency: Consistency,
        shown: dict[str, Any],
        clock: Clock,
        retrieval: Retrieval,
    ) -> Result:
        return Result(
            versions=self.info.versions,
            input=info,
            question=question,
            candidates=tuple(candidates),
            final=final,
            consistency=consistency,
            timings_ms=clock.timings(),
            retrieval=retrieval,
            **shown,
        )


def _stop_if(cancel: Callable[[], bool] | None) -> None:
    if cancel is not None and cancel():
        raise CancelledError("the case was stopped as asked; nothing was kept, start it again")
