"""Reading K rows as a tree: what they share once, the rest of each once, each answer once a row.

Ours: with query first, rows of 256 image tokens each cost a quarter of reading every row beside
every label. Log-probabilities equal those of plain rows up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from jomed_app.models.reader.vlm.inputs import InputBuilder
from jomed_app.models.reader.vlm.rows import Row

NO_TOKEN = -1
MOST_PADDED = 2  # a row longer than another by this factor is read apart from it
Choose = Callable[[Tensor], Tensor]
"""Of the (G, V) log-probabilities of the next tokens, nats, the (G,) ids that are taken."""


def likeliest(log_prob: Tensor) -> Tensor:
    """The likeliest token of each row."""
    return log_prob.argmax(-1)


@dataclass(slots=True)
class Branch:
    """Rows that were read side by side.

    Attributes:
        cache: keys and values of what was read.
        mask: (G, T) 1 where a cached token counts.
        last: (G,) or (3, G) position of each row's last token.
        next_log_prob: (G, V) of the first token of the answer, nats.
    """

    cache: DynamicCache
    mask: Tensor
    last: Tensor
    next_log_prob: Tensor


class TreeReader:
    """Reads rows with one model.

    Args:
        inputs: of the model.
        rows_at_once: sequences side by side in one forward; fewer need less memory.
    """

    def __init__(self, inputs: InputBuilder, rows_at_once: int) -> None:
        self.inputs = inputs
        self.model: Any = inputs.encoder.model
        self.rows_at_once = rows_at_once
        text = self.model.config.get_text_config()
        kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
        # Padding between prompt and answer is no harm where every token sees all before it.
        self.pads_inside = kinds == {"full_attention"} and not inputs.family.reads_both_ways

    @torch.inference_mode()
    def read(self, rows: Sequence[Row]) -> list[Branch]:
        """Read R rows up to where their answers begin, `rows_at_once` side by side."""
        start = 0 if self.inputs.family.reads_both_ways else self._shared(rows)
        trunk = None
        if start and len(rows) > 1:
            trunk = self._fresh()
            self._step(self.inputs.padded(rows[:1]), rows[:1], 0, start, trunk, 1)
        else:
            start = 0
        return [self._branch(part, start, trunk) for part in self._side_by_side(rows, start)]

    def _side_by_side(self, rows: Sequence[Row], start: int) -> list[list[Row]]:
        """Neighbors that are read together, in order.

        Ours: the row without a candidate is a few words behind what all share; padded to the others
        it would cost as much as one of them.
        """
        side = self.rows_at_once if self.pads_inside else 1
        parts: list[list[Row]] = []
        for row in rows:
            lengths = [len(each.ids) - start for each in (*(parts[-1] if parts else ()), row)]
            if len(lengths) in (1, side + 1) or max(lengths) > MOST_PADDED * min(lengths):
                parts.append([row])
            else:
                parts[-1].append(row)
        return parts

    def _branch(self, rows: Sequence[Row], start: int, trunk: DynamicCache | None) -> Branch:
        full = self.inputs.padded(rows)
        device = self.inputs.device
        lengths = torch.tensor([len(row.ids) for row in rows], device=device)
        stop, each = int(lengths.max()), torch.arange(len(rows), device=device)
        cache = self._fresh() if trunk is None else copy.deepcopy(trunk)
        if trunk is not None and len(rows) > 1:
            _take(cache, torch.zeros_like(each))
        logits = self._step(full, rows, start, stop, cache, lengths - 1 - start)
        return Branch(
            cache,
            full["attention_mask"][:, :stop],
            full["position_ids"][..., each, lengths - 1],
            logits[each, each].float().log_softmax(-1),
        )

    def _step(
        self,
        full: dict[str, Any],
        rows: Sequence[Row],
        start: int,
        stop: int,
        cache: DynamicCache,
        keep: int | Tensor,
    ) -> Tensor:
        """Read columns start to stop of padded rows on top of a cache; return kept logits."""
        inside = [
            image
            for row in rows
            for image, at in zip(row.images, row.starts, strict=True)
            if start <= at < stop
        ]
        more: dict[str, Any] = self.inputs.encoder.handed_over(inside)
        if (name := self.inputs.family.type_ids) == "token_type_ids" and name in full:
            more[name] = full[name][:, :stop]  # Gemma wants them from the beginning
        logits: Tensor = self.model(
            input_ids=full["input_ids"][:, start:stop],
            attention_mask=full["attention_mask"][:, :stop],
            position_ids=full["position_ids"][..., start:stop],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
            **more,
        ).logits
        return logits

    @torch.inference_mode()
    def score(self, branches: Sequence[Branch], answers: Sequence[Sequence[int]]) -> Tensor:
        """Return (R, O) log p(answer | row), nats, on the CPU; what was read stays as it was."""
        rows = [torch.tensor(answer, dtype=torch.long) for answer in answers]
        tails = pad_sequence(rows, True, NO_TOKEN).to(self.inputs.device)
        scored = torch.cat([self._score_branch(branch, tails) for branch in branches])
        return scored.cpu()

    def _score_branch(self, branch: Branch, tails: Tensor) -> Tensor:
        first = branch.next_log_prob[:, tails[:, 0]]
        longer = (tails[:, 1:] != NO_TOKEN).any(-1).nonzero()[:, 0]
        later = torch.zeros_like(first)
        for row, option in self._streams(len(first), longer):
            want = tails[option, 1:]
            following = self._append(branch, row, tails[option, :-1].clamp(min=0))
            said = following.gather(-1, want.clamp(min=0)[..., None])[..., 0]
            later[row, option] = (said * (want != NO_TOKEN)).sum(-1)
        return first + later

    def _streams(self, rows: int, options: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """(row, option) of every answer that goes on in every row, `rows_at_once` together."""
        if not len(options):
            return
        pairs = torch.cartesian_prod(torch.arange(rows, device=options.device), options)
        for part in pairs.split(self.rows_at_once):
            yield part[:, 0], part[:, 1]

    def _append(self, branch: Branch, row: Tensor, ids: Tensor) -> Tensor:
        """Read (S, n) tokens behind rows; return (S, n, V) what may follow each, nats."""
        cache = copy.deepcopy(branch.cache)
        _take(cache, row)
        mask = torch.cat([branch.mask[row], torch.ones_like(ids)], 1)
        return self._extend(cache, mask, branch.last[..., row], ids)

    def _extend(self, cache: DynamicCache, mask: Tensor, last: Tensor, ids: Tensor) -> Tensor:
        """Read (S, n) tokens on top of a cache, which grows.

        The last token of a prompt is text, so its position is one in all axes; what follows counts
        on from it and not from the number of tokens, of which images have more.
        """
        steps = torch.arange(1, ids.shape[1] + 1, device=ids.device)
        logits = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=last[..., None] + steps,
            past_key_values=cache,
            use_cache=True,
        ).logits
        log_prob: Tensor = logits.float().log_softmax(-1)
        return log_prob

    @torch.inference_mode()
    def generate(
        self,
        branches: Sequence[Branch],
        max_tokens: int,
        end_id: int,
        choose: Choose = likeliest,
    ) -> list[list[int]]:
        """Let every row go on token by token; what was read stays as it was.

        Args:
            branches: R rows.
            max_tokens: >= 1.
            end_id: ends an answer.
            choose: the next token of each row.

        Returns:
            R answers without their end.
        """
        said: list[list[int]] = []
        for branch in branches:
            said += self._generate_branch(branch, max_tokens, end_id, choose)
        return said

    @torch.inference_mode()
    def repeated(self, branch: Branch, times: int) -> Branch:
        """The rows of a branch, each of them `times` after one another."""
        cache = copy.deepcopy(branch.cache)
        rows = torch.arange(len(branch.mask), device=self.inputs.device).repeat_interleave(times)
        _take(cache, rows)
        return Branch(cache, branch.mask[rows], branch.last[..., rows], branch.next_log_prob[rows])

    def _generate_branch(
        self, branch: Branch, max_tokens: int, end_id: int, choose: Choose
    ) -> list[list[int]]:
        cache, mask, last = copy.deepcopy(branch.cache), branch.mask, branch.last
        log_prob, columns = branch.next_log_prob, []
        is_done = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
        while True:
            ids = choose(log_prob).masked_fill(is_done, end_id)
            is_done = is_done | (ids == end_id)
            columns.append(ids)
            if is_done.all() or len(columns) == max_tokens:
                break
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
            log_prob = self._extend(cache, mask, last, ids[:, None])[:, -1]
            last = last + 1
        rows: list[list[int]] = torch.stack(columns, dim=1).tolist()
        return [row[: row.index(end_id)] if end_id in row else row for row in rows]

    def _fresh(self) -> DynamicCache:
        return DynamicCache(config=self.model.config.get_text_config())

    def _shared(self, rows: Sequence[Row]) -> int:
        """Tokens that all rows begin with; image tokens are alike if the image is the same one."""
        keys = [_keys(row) for row in rows]
        longest = min(len(row.ids) for row in rows) - 1
        for place, column in enumerate(zip(*keys, strict=False)):
            if place >= longest or len(set(column)) > 1:
                return min(place, longest)
        return longest


def _take(cache: Any, rows: Tensor) -> None:
    """Keep these rows of a cache, repeats too; layers of linear attention know no other way."""
    cache.reorder_cache(rows)


def _keys(row: Row) -> list[int | tuple[int]]:
    """A row's ids, with an image's tokens told apart by which image it is."""
    keys: list[int | tuple[int]] = list(row.ids)
    token = row.ids[row.starts[0]] if row.starts else None
    owners = iter([id(image) for image in row.images for _ in range(len(image.features))])
    for place, each in enumerate(row.ids):
        if each == token:
            keys[place] = (next(owners),)
    return keys
