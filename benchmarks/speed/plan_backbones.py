"""Memory and time of large models, calculated from their configurations; nothing here is measured.

`python -m benchmarks.speed.plan_backbones --write` puts the tables into docs/backbones.md.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.blocks import replace_block

NUMBERS = Path(__file__).parent / "backbones.toml"
PAGE = ROOT / "docs" / "backbones.md"
GB = 1e9
BF16, FP32 = 2.0, 4.0  # bytes
NF4 = 0.5 + 1 / 64 + FP32 / (64 * 256)  # bytes: 4 bits, 8 bits a block of 64, theirs in fp32
LORA_BYTES = 16.0  # fp32 weight and gradient, two moments of Adam
LORA_RANK = 8
MILLION = 1e6


@dataclass(frozen=True)
class Reader:
    """One reader's configuration, in the words of `backbones.toml`."""

    name: str
    model: str
    family: str
    licence: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    words: int
    tied: bool
    vision: float
    image_tokens: int
    boxes: bool

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of the linear maps of one layer of the language part."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return [
            (self.hidden, queries), (self.hidden, keys), (self.hidden, keys),
            (queries, self.hidden), (self.hidden, self.intermediate),
            (self.hidden, self.intermediate), (self.intermediate, self.hidden),
        ]  # fmt: skip

    @property
    def linears(self) -> float:
        """Parameters of those maps in all layers: what NF4 holds in 4 bits."""
        return float(self.layers * sum(into * out for into, out in self.shapes))

    @property
    def parameters(self) -> float:
        """All parameters: linear maps, tables of words, vision."""
        tables = self.words * self.hidden * (1 if self.tied else 2)
        return self.linears + tables + self.vision * MILLION

    @property
    def bf16(self) -> float:
        """Bytes of the weights in bf16."""
        return self.parameters * BF16

    @property
    def nf4(self) -> float:
        """Bytes of the weights with the language part in NF4, its scales quantized too."""
        return self.linears * NF4 + (self.parameters - self.linears) * BF16

    @property
    def kv_token(self) -> float:
        """Bytes that one token of a row takes in the cache of keys and values, bf16."""
        return 2.0 * self.layers * self.kv_heads * self.head_dim * BF16

    @property
    def lora(self) -> float:
        """Parameters of an adapter of rank 8 on every linear map of the language part."""
        return float(LORA_RANK * self.layers * sum(into + out for into, out in self.shapes))


def answer_bytes(reader: Reader, weights: float, assumed: dict[str, Any]) -> float:
    """Bytes while a case is read: weights, cached rows that share the query, one layer's work."""
    query = assumed["question_tokens"] + reader.image_tokens
    rows = assumed["candidates"] * (assumed["passage_tokens"] + reader.image_tokens)
    work = rows * (4 * reader.hidden + 3 * reader.intermediate) * BF16
    return float((weights + (query + rows) * reader.kv_token + work) * assumed["margin"])


def step_tokens(reader: Reader, assumed: dict[str, Any]) -> int:
    """Tokens of all rows of one query in training, where no row shares what others read."""
    row = assumed["question_tokens"] + assumed["passage_tokens"] + 2 * reader.image_tokens
    return int(assumed["candidates"] * row)


def tuning_bytes(reader: Reader, weights: float, assumed: dict[str, Any]) -> float:
    """Bytes while LoRA is tuned with gradient checkpointing, the rows of one query at a time.

    Layer inputs are kept; one layer is computed again at a time, with its gradients; logits stand
    for answer tokens alone and are left out.
    """
    tokens = step_tokens(reader, assumed)
    kept = tokens * reader.hidden * reader.layers * BF16
    layer = 2 * tokens * (8 * reader.hidden + 4 * reader.intermediate) * BF16
    learnt = reader.lora * LORA_BYTES
    return float((weights + kept + layer + learnt) * assumed["margin"])


def recipe_hours(reader: Reader, tflops: float, assumed: dict[str, Any]) -> float:
    """Hours of the paper's number of steps: forward, forward again, gradients of what is between.

    Frozen weights have no gradients of their own: 6 operations a parameter and token instead of 8.
    """
    tokens = step_tokens(reader, assumed) * assumed["recipe_queries"] * assumed["recipe_steps"]
    return float(6 * reader.linears * tokens / (tflops * 1e12 * assumed["utilisation"]) / 3600)


def tables(numbers: dict[str, Any]) -> str:
    """All tables, as Markdown."""
    readers = [Reader(**each) for each in numbers["reader"]]
    cards, assumed = numbers["card"], numbers["assumed"]
    attended = "yes"
    rows = [
        [
            f"[{each.name}](https://huggingface.co/{each.model})", each.licence,
            f"{each.parameters / GB:.2f}", f"{each.bf16 / GB:.1f}", f"{each.nf4 / GB:.1f}",
            str(each.image_tokens), "yes" if each.boxes else "no", attended,
            f"tiny random `{each.family}`",
        ]
        for each in readers
    ]  # fmt: skip
    head = ["reader", "licence", "parameters, 10⁹", "GB in bf16", "GB in NF4",
            "tokens an image, 448 px", "says boxes", "shows attention", "run here"]  # fmt: skip
    parts = [_table(head, rows)]
    head = ["retriever", "licence", "parameters, 10⁹", "GB in fp32",
            "numbers a vector", "MB of vectors per 10,000 cases", "run here"]  # fmt: skip
    rows = [
        [
            f"[{each['name']}](https://huggingface.co/{each['model']})", each["licence"],
            f"{each['parameters'] / 1000:.2f}", f"{each['parameters'] * MILLION * FP32 / GB:.1f}",
            str(each["dim"]), f"{2 * each['dim'] * FP32 * 1e4 / 1e6:.0f}",
            f"tiny random `{each['family']}`",
        ]
        for each in numbers["retriever"]
    ]  # fmt: skip
    parts.append(_table(head, rows))
    rows = []
    for each in readers:
        for name, weights in (("NF4", each.nf4), ("bf16", each.bf16)):
            answer = answer_bytes(each, weights, assumed)
            tuned = tuning_bytes(each, weights, assumed)
            hours = [
                f"{recipe_hours(each, card['tflops'], assumed):.1f} h"
                if tuned / GB <= card["memory"]
                else "does not fit"
                for card in cards
            ]
            fitting = [card["name"] for card in cards if answer / GB <= card["memory"]]
            smallest = fitting[0] if fitting else "none of these"
            rows.append(
                [each.name, name, f"{answer / GB:.1f}", smallest, f"{tuned / GB:.1f}", *hours]
            )
    head = ["reader", "weights", "GB to answer, 4 candidates", "smallest card"]
    head += ["GB to tune, one query at a time"]
    head += [f"the paper's steps on {card['name']}" for card in cards]
    parts.append(_table(head, rows))
    steps, queries = assumed["recipe_steps"], assumed["recipe_queries"]
    parts.append(
        f"Calculated, not measured, by `benchmarks/speed/plan_backbones.py` from "
        f"`benchmarks/speed/backbones.toml`: {assumed['candidates']} candidates a query, "
        f"{assumed['question_tokens']} and {assumed['passage_tokens']} words of question and "
        f"passage, {assumed['margin']:.2f} times the sum for buffers; tuning is LoRA of rank "
        f"{LORA_RANK} with gradient checkpointing, {steps} steps of {queries} queries, at "
        f"{assumed['utilisation']:.0%} of {cards[0]['tflops']} ({cards[0]['name']}) and "
        f"{cards[1]['tflops']} TFLOP/s ({cards[1]['name']}). NF4 unpacks each layer, which takes "
        "time that is not counted; a retriever beside the reader takes its own memory."
    )
    return "\n\n".join(parts)


def read_numbers() -> dict[str, Any]:
    """What `backbones.toml` holds."""
    return tomllib.loads(NUMBERS.read_text(encoding="utf-8"))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/backbones.md")
    chosen = parser.parse_args(arguments)
    made = tables(read_numbers())
    if chosen.write:
        replace_block(PAGE, "backbones", made)
    else:
        sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
