"""Questions with free answers about one image, beside images of an index that were asked too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from torch import Tensor

from jomed_app.errors import ConfigError
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.inference.questions.free_answers import (
    FreeAnswer,
    QuestionReader,
    conclude_reading,
    open_profile,
)
from jomed_app.models.reader.protocol import Reader
from jomed_app.models.retriever.protocol import Retriever
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.question_search import QuestionCorpus, Shortlist
from jomed_app.types import ImageRecord, Retrieval


class OpenQuestions:
    """Asks, with the models of an engine.

    Args:
        reader, retriever: of the engine.
        index: the known images; one at least has questions.
        profile_of: the engine's profile of a search, for the hits per head and their weights.

    Raises:
        ConfigError: if no case of the index has a question.
    """

    def __init__(
        self,
        reader: Reader,
        retriever: Retriever,
        index: CandidateIndex,
        profile_of: Callable[[Retrieval], Profile],
    ) -> None:
        if not any(index.candidate(each).questions for each in index.ids):
            raise ConfigError(
                f"free answers need an index whose cases have questions, found none in "
                f"'{index.info.name}'; build one of an open task: index build --task slake ..."
            )
        self._reader, self._retriever, self._index = reader, retriever, index
        self._profile_of = profile_of
        self._known = QuestionCorpus(index)
        self.reader = QuestionReader(
            reader,
            self._known,
            CandidateCache.of_index(reader, index),
            2 * profile_of("standard").settings.k_per_head,
        )

    def profile(self, retrieval: Retrieval) -> Profile:
        """By which questions are concluded: the weights of the search, no figure of the task."""
        return open_profile(self._profile_of(retrieval).settings.weight_temperature)

    def shortlist(
        self,
        view: Tensor,
        sha256: str,
        retrieval: Retrieval,
        exclude_groups: Collection[str] = frozenset(),
    ) -> Shortlist:
        """Known images alike one image, its own copies left out.

        Args:
            view: of the image, by the retriever.
            sha256: of its file.
            retrieval: by the trained head, or by similarity alone.
            exclude_groups: groups left out, the image's own.
        """
        vectors = self._retriever.query_vectors(view, trained=retrieval == "joint")
        own = self._index.ids_of_image(sha256)
        return self._known.shortlist(vectors["image"], own, exclude_groups)

    def ask(
        self,
        image: ImageRecord,
        question: str,
        *,
        options: Sequence[str] = (),
        retrieval: Retrieval = "standard",
    ) -> FreeAnswer:
        """Answer one question.

        Args:
            image: the decoded query.
            question: as asked.
            options: answers that are weighed in any case, such as yes and no.
            retrieval: by the trained head, or by similarity alone.
        """
        query = self._reader.encode([image.model_input])[0]
        view = self._retriever.look(image.model_input, query)
        near = self.shortlist(view, image.sha256, retrieval)
        reading = self.reader.read(query, near, question, options)
        return conclude_reading(reading, self.profile(retrieval))
