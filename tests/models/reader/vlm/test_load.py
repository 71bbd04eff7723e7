"""Model files that are damaged, missing or of another kind: one sentence each, and no traceback."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.errors import ConfigError
from jomed_app.models.loading import Precision
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.source import find_model
from tests.models.reader.vlm.conftest import QUESTION

WEIGHTS, CONFIG, TEMPLATE = "model.safetensors", "config.json", "chat_template.jinja"
PROCESSOR, TOKENIZER = "preprocessor_config.json", "tokenizer.json"
NORM = "model.language_model.norm.weight"
STORED = "model.norm.weight"  # as the Hub's files name it
DEEP = "[" * 100_000


def load(folder, **settings):
    chosen = ReaderBackbone(model=str(folder), **{"precision": "fp32", "device": "cpu"} | settings)
    return load_vlm(find_model(chosen.model, "", "reader"), chosen)


def written(name, text):
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def without(name):
    return lambda folder: (folder / name).unlink()


def cut(name, size):
    """A file of which only the first bytes arrived."""
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def changed(**values):
    """A configuration with other values."""

    def change(folder):
        known = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        (folder / CONFIG).write_text(json.dumps(known | values), encoding="utf-8")

    return change


def weights(edit):
    """Weights that were edited."""

    def change(folder):
        known = load_file(folder / WEIGHTS)
        edit(known)
        save_file(known, folder / WEIGHTS, metadata={"format": "pt"})

    return change


DAMAGES = {
    "configuration, no JSON": (written(CONFIG, "{"), "the configuration of 'damaged' cannot be"),
    "configuration, a list": (written(CONFIG, "[]"), "the configuration of 'damaged' cannot be"),
    "configuration, deep": (written(CONFIG, DEEP), "the configuration of 'damaged' cannot be"),
    "a value of another type": (changed(image_token_id="many"), "expected int, got str"),
    "a kind that is unknown": (changed(model_type="nonesuch"), "has model type `nonesuch`"),
    "a dual encoder": (
        written(CONFIG, '{"model_type": "clip"}'),
        "is of the kind 'clip'",
    ),
    "a language model": (written(CONFIG, '{"model_type": "llama"}'), "is of the kind 'llama'"),
    "no vision part": (written(CONFIG, '{"model_type": "udop"}'), "vision part and an image tok"),
    "another family": (changed(model_type="qwen2_vl"), "lacks 31 or holds them in another shape"),
    "an image token that is none": (changed(image_token_id=9999), "found 9999 of 420"),
    "no weights": (without(WEIGHTS), "the weights of 'damaged' cannot be read .OSError"),
    "weights, cut in the middle": (cut(WEIGHTS, 90_000), "weights of 'damaged' .*SafetensorError"),
    "weights, cut in the head": (cut(WEIGHTS, 5), "weights of 'damaged' .*header too small"),
    "weights, empty": (cut(WEIGHTS, 0), "the weights of 'damaged' .*header too small"),
    "a weight is missing": (
        weights(lambda all_: all_.pop(STORED)),
        f"lacks 1 .* first is '{NORM}'",
    ),
    "a weight of another shape": (
        weights(lambda all_: all_.update({STORED: torch.zeros(3)})),
        f"lacks 1 or holds them in another shape, the first is '{NORM}'",
    ),
    "no image processor": (without(PROCESSOR), "the image processor of 'damaged' cannot be read"),
    "image processor, no JSON": (written(PROCESSOR, "{"), "the image processor of 'damaged'"),
    "no tokenizer": (without(TOKENIZER), "the tokenizer of 'damaged' cannot be read"),
    "tokenizer, cut": (cut(TOKENIZER, 1000), "the tokenizer of 'damaged' cannot be read"),
    "no template": (without(TEMPLATE), "must have a chat template .* found none in 'damaged'"),
    "template of the old kind, no JSON": (
        lambda folder: (without(TEMPLATE)(folder), written("chat_template.json", "{}")(folder)),
        "the tokenizer of 'damaged' cannot be read .KeyError: 'chat_template'",
    ),
    "template with a mistake": (
        written(TEMPLATE, "{% for x in"),
        "it fails at one .TemplateSyn",
    ),
    "template that refuses": (
        written(TEMPLATE, "{{ raise_exception('texts alone') }}"),
        "it fails at one .TemplateError.; take another model",
    ),
    "template for texts alone": (
        written(TEMPLATE, "{{ messages[0]['role'] + messages[0]['content'] }}"),
        "it fails at one .TypeError.",
    ),
    "template without images": (written(TEMPLATE, "hello"), "keep both images of a row, it kept 0"),
    "quantized, nobody knows how": (
        changed(quantization_config={"quant_method": "nonesuch"}),
        "plain weights, or such as bitsandbytes quantized, found 'nonesuch'",
    ),
    "quantized by another library": (
        changed(quantization_config={"quant_method": "gptq", "bits": 4}),
        "found 'gptq'; take the plain checkpoint and set reader.precision",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_one_sentence(vlm_folder, tmp_path, name):
    damage, words = DAMAGES[name]
    folder = shutil.copytree(vlm_folder("qwen2_5_vl"), tmp_path / "damaged")
    damage(folder)
    with pytest.raises(ConfigError, match=words) as caught:
        load(folder)
    told = str(caught.value)
    assert "\n" not in told
    assert str(tmp_path) not in told
    assert len(told) < 500


def test_weights_that_are_no_numbers_are_found_at_the_first_answer(vlm_folder, tmp_path, pictures):
    folder = shutil.copytree(vlm_folder("qwen2_5_vl"), tmp_path / "damaged")
    weights(lambda all_: all_[STORED].fill_(float("nan")))(folder)
    reader, _ = load(folder)
    (query,) = reader.encode(pictures[:1])
    with pytest.raises(ConfigError, match=r"must be numbers, found none in fp32; set reader"):
        reader.score(reader.read(query, QUESTION, []), ["benign"])


@pytest.fixture(scope="module")
def stored(vlm_folder, tmp_path_factory):
    """A checkpoint that holds its language part in NF4, as others publish them."""
    folder = tmp_path_factory.mktemp("stored") / "nf4"
    shutil.copytree(vlm_folder("qwen2_5_vl"), folder)
    reader, _ = load(folder, precision="nf4")
    reader.model.save_pretrained(folder)
    return folder


def scores(reader, pictures):
    query, other = reader.encode(pictures[:2])
    shown = [reader.candidate(other, "benign", "Oval.")]
    return reader.score(reader.read(query, QUESTION, shown), ["benign", "malignant"])


def test_a_checkpoint_stored_in_4_bits_runs_in_them_or_in_whole_weights(stored, pictures):
    found = {}
    for wanted in ("auto", "nf4", "bf16", "fp32"):
        reader, chosen = load(stored, precision=wanted)
        assert chosen is (Precision.NF4 if wanted == "auto" else Precision(wanted))
        kinds = {type(each).__name__ for each in reader.model.modules()}
        assert ("Linear4bit" in kinds) == (chosen is Precision.NF4)
        assert reader.number_type == ("fp32" if wanted == "fp32" else "bf16")
        found[wanted] = scores(reader, pictures)
    assert torch.equal(found["auto"], found["nf4"])
    torch.testing.assert_close(found["bf16"], found["fp32"], atol=0.6, rtol=0)
    torch.testing.assert_close(found["nf4"], found["fp32"], atol=0.6, rtol=0)


def test_4_bits_do_not_become_8(stored):
    with pytest.raises(ConfigError, match=r"auto, nf4, bf16 or fp32 for a model stored in nf4"):
        load(stored, precision="int8")
