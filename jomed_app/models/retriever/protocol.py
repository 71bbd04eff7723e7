"""What the app asks of a retriever, whichever encoders stand behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.types import Head


class Retriever(Protocol):
    """Embeds corpus images and passages once, frozen, and queries by heads that learn in phase 2.

    Source: arXiv:2508.17394. It satisfies `retrieval.search.CaseEncoder`.

    A query is looked at once: `look` gives its view, (1, ...), from which query vectors and small
    heads are computed; only the retriever that made a view knows its shape.
    """

    @property
    def name(self) -> str:
        """Kind of encoders, as results name it."""

    @property
    def fingerprint(self) -> str:
        """Names the frozen weights and the image preparation that corpus vectors come from."""

    @property
    def dim(self) -> int:
        """D, numbers per vector."""

    @property
    def has_trained_heads(self) -> bool:
        """Whether the query heads move a query, so that there are two searches."""

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, D) unit rows for N uint8 RGB (rows, columns, 3) images of any sizes."""

    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (N, D) unit rows for N passages."""

    def encode_query(
        self, image: NDArray[np.uint8], *, trained: bool = True
    ) -> dict[Head, NDArray[np.float32]]:
        """Return per head the (D,) query vector of one image; `trained` as in `query_vectors`."""

    def look(self, image: NDArray[np.uint8], encoding: Any) -> Tensor:
        """Return the view of one query.

        Args:
            image: (rows, columns, 3) uint8 RGB.
            encoding: the same image as the reader encoded it; a retriever that shares the reader's
                tower does not look twice.
        """

    def features(self, view: Tensor) -> NDArray[np.float32]:
        """Return (1, F) of a view, for the small heads of a bundle."""

    def query_vectors(
        self, view: Tensor, *, trained: bool = True
    ) -> dict[Head, NDArray[np.float32]]:
        """Return per head the (D,) query vector of a view.

        Args:
            view: of `look`.
            trained: whether the query heads move the query; without them it is the frozen encoder.
        """
