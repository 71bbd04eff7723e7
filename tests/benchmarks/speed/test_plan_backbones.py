"""The plan of docs/backbones.md: hand values, and the page is what the numbers say."""

from __future__ import annotations

import pytest

from benchmarks.speed.plan_backbones import (
    NF4,
    PAGE,
    Reader,
    answer_bytes,
    main,
    read_numbers,
    recipe_hours,
    step_tokens,
    tables,
    tuning_bytes,
)
from jomed_app.models.reader.vlm.families import FAMILIES, Family


@pytest.fixture(scope="module")
def numbers():
    return read_numbers()


@pytest.fixture(scope="module")
def readers(numbers):
    return {each["name"]: Reader(**each) for each in numbers["reader"]}


def small(**changes):
    values = {
        "name": "x", "model": "a/x", "family": "f", "licence": "l", "hidden": 4, "layers": 2,
        "heads": 2, "kv_heads": 1, "head_dim": 2, "intermediate": 8, "words": 10, "tied": True,
        "vision": 0, "image_tokens": 6, "boxes": False,
    }  # fmt: skip
    return Reader(**(values | changes))


def test_hand_values_of_a_small_model():
    # A layer: q 4x4, k and v 4x2 each, o 4x4, three of 4x8: 16 + 8 + 8 + 16 + 96 = 144.
    assert small().linears == 288
    assert small().parameters == 288 + 40
    assert small(tied=False, vision=1).parameters == 288 + 80 + 1e6
    assert small().kv_token == 2 * 2 * 1 * 2 * 2
    # Rank 8 on (4+4) + (4+2) + (4+2) + (4+4) + 3 x (4+8) = 64 a layer.
    assert small().lora == 8 * 2 * 64
    assert small().nf4 == pytest.approx(288 * NF4 + 40 * 2)


def test_hand_values_of_a_case_and_a_step():
    assumed = {
        "candidates": 4, "question_tokens": 10, "passage_tokens": 20, "margin": 1.0,
        "utilisation": 0.5, "recipe_steps": 100, "recipe_queries": 2,
    }  # fmt: skip
    # 16 tokens of the query, 4 x 26 beside it; 8 bytes each; work 104 x (16 + 24) x 2.
    assert answer_bytes(small(), 1000, assumed) == 1000 + 120 * 16 + 104 * 40 * 2
    assert step_tokens(small(), assumed) == 4 * (30 + 12)
    kept, layer = 168 * 4 * 2 * 2, 2 * 168 * (32 + 32) * 2
    assert tuning_bytes(small(), 1000, assumed) == 1000 + kept + layer + 1024 * 16
    assert recipe_hours(small(), 1e-6, assumed) == pytest.approx(6 * 288 * 168 * 200 / 0.5e6 / 3600)


@pytest.mark.parametrize(
    ("name", "parameters", "linears", "kv_kib"),
    [
        ("Qwen2-VL-7B", 8.29e9, 6.53e9, 56), ("Qwen3-VL-4B", 4.44e9, 3.63e9, 144),
        ("Pixtral-12B", 12.68e9, 10.91e9, 160), ("MedGemma-4B", 4.30e9, 3.21e9, 136),
        ("SmolVLM-500M", 0.51e9, 0.31e9, 40),
    ],
)  # fmt: skip
def test_totals_come_out_at_the_published_sizes(readers, name, parameters, linears, kv_kib):
    assert readers[name].parameters == pytest.approx(parameters, rel=0.01)
    assert readers[name].linears == pytest.approx(linears, rel=0.02)
    assert readers[name].kv_token == kv_kib * 1024


def test_the_page_is_what_the_numbers_say(numbers):
    block = f"<!-- backbones: begin -->\n{tables(numbers)}\n<!-- backbones: end -->"
    assert block in PAGE.read_text(encoding="utf-8")


def test_the_command_prints_the_tables(numbers, capsys):
    main([])
    assert capsys.readouterr().out == f"{tables(numbers)}\n"


def test_what_says_boxes_is_what_the_app_reads_boxes_of(readers):
    for each in readers.values():
        assert (FAMILIES.get(each.family, Family()).boxes is not None) == each.boxes, each.name
