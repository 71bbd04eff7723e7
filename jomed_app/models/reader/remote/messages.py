"""What a server is sent: images as they are, in the words that local models read too."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.data.wording.prompts import (
    IMAGE_SLOT,
    NO_REFERENCE,
    candidate_text,
    query_text,
)
from jomed_app.models.reader.protocol import CandidateInput

Message = Mapping[str, Any]
# Tokens that have a meaning of their own in chat templates, such as an image's; `<` and `>` that
# stand alone stay.
_RESERVED = re.compile(r"<[^<>\s]{1,40}>|\[/?(?:INST|IMG)[A-Z_]*\]")


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image as it is sent: a PNG as a data URL."""

    url: str


def sent_image(image: NDArray[np.uint8], max_side: int) -> SentImage:
    """Write a (rows, columns, 3) uint8 image without loss; a longer one is shrunk to `max_side`."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((max_side, max_side), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return SentImage("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())


def row_messages(
    query: SentImage, question: str, candidate: CandidateInput | None, max_passage: int
) -> list[Message]:
    """The turn of a query beside a candidate, or beside none; the query comes first.

    Args:
        query: its image.
        question: as asked.
        candidate: image, known diagnosis and passage.
        max_passage: longer passages are cut, characters.
    """
    parts = _between(query_text(plain(question)), query)
    if candidate is None:
        return user_turn([*parts, NO_REFERENCE])
    text = candidate_text(plain(candidate.label), plain(candidate.passage)[:max_passage])
    return user_turn([*parts, *_between(text, candidate.features)])


def user_turn(parts: Sequence[str | SentImage]) -> list[Message]:
    """One turn of texts and images; texts that follow one another are one, or servers part them."""
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, SentImage):
            content.append({"type": "image_url", "image_url": {"url": part.url}})
        elif content and content[-1]["type"] == "text":
            content[-1]["text"] += part
        else:
            content.append({"type": "text", "text": part})
    return [{"role": "user", "content": content}]


def plain(text: str) -> str:
    """Text from outside without what a chat template could take for a token of its own."""
    return _RESERVED.sub(" ", text)


def _between(text: str, image: SentImage) -> list[str | SentImage]:
    """Put an image where a text holds its slot."""
    before, after = text.split(IMAGE_SLOT)
    return [before, image, after]
