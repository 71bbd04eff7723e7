"""Recipes for large models: each is read whole, and names models of kinds that the app knows."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks.speed.plan_backbones import Reader, answer_bytes, read_numbers
from jomed_app.config.backbones import BackbonesConfig, load_backbones
from jomed_app.config.section import build_section
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError
from jomed_app.models.loading import parse_precision
from tests.tiny_vlms import FAMILIES

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "jomed_app" / "config" / "recipes"
RECIPES = sorted(FOLDER.glob("*.toml"))
NAMES = {
    "qwen2vl_7b", "pixtral_12b", "qwen2_5vl_7b", "qwen3vl_4b", "medgemma_4b", "smolvlm_500m",
}  # fmt: skip
RETRIEVERS = ("siglip", "siglip2", "clip")  # model types that `DualEncoder` reads


@pytest.fixture(scope="module")
def numbers():
    return read_numbers()


def test_every_recipe_ships():
    assert {path.stem for path in RECIPES} == NAMES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_a_reader_and_a_retriever_of_known_kinds(path, numbers):
    config = load_backbones(path)
    assert isinstance(config, BackbonesConfig)
    readers = {each["model"]: Reader(**each) for each in numbers["reader"]}
    assert config.reader.model in readers, "and docs/backbones.md plans it"
    assert readers[config.reader.model].family in FAMILIES
    retrievers = {each["model"]: each["family"] for each in numbers["retriever"]}
    assert retrievers[config.retriever.model] in RETRIEVERS
    parse_precision(config.reader.precision)
    answers = load_task(config.task).labels
    assert all(label in config.question for label in answers), "an untuned model is told them"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_key_of_a_recipe_is_one_of_the_settings(path):
    """That code reads each of the settings is a test of its own (`test_every_key_is_read`)."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    config = build_section(BackbonesConfig, values).model_dump()
    for name, table in values.items():
        if isinstance(table, dict):
            assert {key: config[name][key] for key in table} == table
        else:
            assert config[name] == table


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_key_that_nobody_knows_is_refused(path, tmp_path):
    text = path.read_text(encoding="utf-8").replace("[retriever]", "speed = 3\n[retriever]")
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"unknown key 'reader\.speed'"):
        load_backbones(tmp_path / "mine.toml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_was_run_and_what_was_not(path):
    head = path.read_text(encoding="utf-8").split("\ntask =")[0]
    assert head.startswith("# python -m jomed_app train reader --config ")
    assert "# Run: " in head
    assert "Not run:" in head


def test_the_recipes_of_the_paper_hold_its_values():
    for name, rows in (("qwen2vl_7b", 24), ("pixtral_12b", 40)):
        config = load_backbones(FOLDER / f"{name}.toml")
        assert isinstance(config, BackbonesConfig)
        tuned, lora = config.train_reader, config.lora
        assert (lora.rank, lora.alpha, lora.dropout) == (8, 16, 0.0)
        assert (tuned.steps, tuned.lr, tuned.warmup) == (2160, 1e-4, 0.1)
        assert tuned.num_candidates * tuned.batch_size * tuned.batches_per_step == rows
        assert (config.reader.max_side_px, config.reader.precision) == (256, "bf16")
        assert config.retriever.query_mix == 0.15
        taught = config.train_retriever
        assert (taught.num_image, taught.num_text, taught.batch_size) == (50, 50, 2)


def test_what_the_laptop_takes_fits_a_laptop(numbers):
    (reader,) = [Reader(**each) for each in numbers["reader"] if each["family"] == "smolvlm"]
    assert answer_bytes(reader, 2 * reader.bf16, numbers["assumed"]) < 8e9
