"""How far the weights of a model are loaded, told while transformers loads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

from transformers.utils.logging import set_tqdm_hook

from jomed_app.progress import OnLoad

WEIGHTS = "Loading weights"  # how transformers names the bar that counts tensors
LOADING = "loading the {part}"


@contextmanager
def weights_progress(on_load: OnLoad, part: str, total: int) -> Iterator[None]:
    """Tell how much of a model is loaded while the block loads it.

    Ours: transformers counts tensors; their share of all stands for the share of the bytes. What
    `on_load` raises ends the loading.

    Args:
        on_load: told after every tensor.
        part: what is loaded: reader or retriever.
        total: bytes of the weights.
    """
    step = LOADING.format(part=part)

    def counted(tensors: Any) -> Iterator[Any]:
        number = len(tensors) if isinstance(tensors, Sized) else 0
        for done, tensor in enumerate(tensors):
            on_load(step, total * done // max(1, number), total)
            yield tensor
        on_load(step, total, total)

    def hook(factory: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if named.get("desc") == WEIGHTS and given:
            return counted(given[0])
        return factory(*given, **named)

    on_load(step, 0, total)
    before = set_tqdm_hook(hook)
    try:
        yield
    finally:
        set_tqdm_hook(before)
