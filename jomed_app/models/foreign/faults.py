"""Model files that others wrote: what is wrong with them, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jomed_app.errors import ConfigError, JomedError
from jomed_app.models.loading import Precision
from jomed_app.models.source import ModelSource

LONGEST_REASON = 200  # characters


@contextmanager
def files_of(source: ModelSource, key: str, kind: str, part: str) -> Iterator[None]:
    """Read one part of a model; whatever a library raises at it becomes one sentence.

    Args:
        source: the model.
        key: name of the setting: reader or retriever.
        kind: what the setting asks for, in words.
        part: that is read, in words.

    Raises:
        ConfigError: if the part cannot be read.
    """
    try:
        yield
    except JomedError:
        raise
    except Exception as error:  # transformers lets through what its libraries raise
        raise ConfigError(
            f"{key}.model must be {kind}, the {part} of '{source.folder.name}' cannot be read "
            f"({_reason(error, source)}); fetch the files again or take another model"
        ) from error


def _reason(error: Exception, source: ModelSource) -> str:
    """The first sentence of an error, on one line and without the folder's path."""
    text = str(error).replace(str(source.folder), source.folder.name)
    line = " ".join(text.split("\n\n", 1)[0].split()).rstrip(".") or "no reason given"
    if len(line) > LONGEST_REASON:
        line = f"{line[:LONGEST_REASON].rstrip()} ..."
    return f"{type(error).__name__}: {line}"


def require_whole(info: Mapping[str, Any], source: ModelSource, key: str) -> None:
    """Refuse weights of which some are missing; transformers would draw them at random.

    Args:
        info: what `from_pretrained` tells with `output_loading_info`.
        source: the model.
        key: name of the setting.

    Raises:
        ConfigError: if a weight is missing, or is of another shape than the configuration says.
    """
    wrong = sorted({*info["missing_keys"], *(each[0] for each in info["mismatched_keys"])})
    if wrong:
        raise ConfigError(
            f"{key}.model must hold every weight that its config.json asks for, "
            f"'{source.folder.name}' lacks {len(wrong)} or holds them in another shape, the first "
            f"is '{wrong[0]}'; fetch the files again or take another model"
        )


def stored_precision(config: Any) -> Precision | None:
    """How a checkpoint holds its weights, None where they are plain.

    Raises:
        ConfigError: if they are quantized by another method than bitsandbytes', which none of
            the settings names.
    """
    stored = getattr(config, "quantization_config", None)
    if stored is None:
        return None
    values: Mapping[str, Any] = stored if isinstance(stored, dict) else stored.to_dict()
    if values.get("load_in_8bit"):
        return Precision.INT8
    if values.get("load_in_4bit"):
        return Precision.NF4
    raise ConfigError(
        "reader.model must hold plain weights, or such as bitsandbytes quantized, found "
        f"'{values.get('quant_method', 'no method')}'; take the plain checkpoint and set "
        "reader.precision"
    )


def held_precision(stored: Precision | None, wanted: Precision) -> Precision:
    """How weights are held in the end.

    Args:
        stored: how the checkpoint holds them; None for plain weights.
        wanted: not auto where they are plain.

    Raises:
        ConfigError: if weights of one quantization are asked for in the other.
    """
    if stored is None:
        return wanted
    if wanted is Precision.AUTO:
        return stored
    if wanted in (Precision.INT8, Precision.NF4) and wanted is not stored:
        raise ConfigError(
            f"reader.precision must be auto, {stored.value}, bf16 or fp32 for a model stored in "
            f"{stored.value}, found '{wanted.value}'"
        )
    return wanted
