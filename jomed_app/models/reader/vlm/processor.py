"""A family's own processor, for libraries that want one; the reader itself needs none.

Ours: it is built from the reader's image processor and tokenizer. Most families' also hold one for
videos, which requires torchvision; it is left out.
"""

from __future__ import annotations

import inspect
from typing import Any

from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from jomed_app.errors import ConfigError
from jomed_app.models.reader.vlm.reader import VlmReader


def whole_processor(reader: VlmReader) -> Any:
    """Images and texts in one, as transformers' `ProcessorMixin`.

    Raises:
        ConfigError: if transformers has none for the model, or it cannot be built here.
    """
    try:
        kind: Any = PROCESSOR_MAPPING[type(reader.model.config)]
        # Its check of classes would import the class for videos.
        built = type(kind.__name__, (kind,), {"check_argument_for_proper_class": _taken_as_it_is})
        known = inspect.signature(kind.__init__).parameters
        return built(
            image_processor=reader.encoder.processor,
            tokenizer=reader.writer.tokenizer,
            chat_template=reader.writer.tokenizer.chat_template,
            **({"video_processor": None} if "video_processor" in known else {}),
        )
    except (ImportError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"a processor of the family is required, that of '{reader.name}' cannot be built "
            f"here: {error}"
        ) from error


def _taken_as_it_is(_: Any, __: str, argument: Any) -> type:
    return type(argument)
