"""Where a model runs: one device that all inputs follow, or several by accelerate."""

from __future__ import annotations

import functools

import pytest
import torch

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.errors import ConfigError
from jomed_app.models.placement import Placement, place
from jomed_app.models.reader.vlm import load as loading
from jomed_app.models.source import find_model
from tests.models.reader.vlm.conftest import QUESTION
from tests.tiny_vlms import FAMILIES

ANSWERS = ["benign", "malignant"]
AWAY = torch.device("meta")  # a second device that every machine has; it holds no numbers


def findings(reader, pictures):
    query, *others = reader.encode(pictures)
    shown = [reader.candidate(each, "benign", "Oval.") for each in others]
    reading = reader.read(query, QUESTION, shown)
    heat = reader.attend(query, QUESTION, "benign")
    return reader.score(reading, ANSWERS).tolist(), reader.generate(reading, 3), heat.tolist()


def map_of_two(model):
    """The last layer of the language part lies elsewhere, as on a second GPU."""
    decoder = model.get_decoder()
    last = next(name for name, each in model.named_modules() if each is decoder.layers[-1])
    language = last.rsplit(".", 2)[0]
    opened = {"", "model", language, f"{language}.layers"}  # what is named part by part
    here = {
        name: "cpu"
        for name in (name for name, _ in (*model.named_modules(), *model.named_parameters()))
        if name not in opened and name.rpartition(".")[0] in opened
    }
    return here | {last: "disk"}


DRAWN = ("qwen3_vl", "gemma3", "llava_onevision")  # the others are slow tests
SPLIT = [pytest.param(name, marks=() if name in DRAWN else pytest.mark.slow) for name in FAMILIES]


@pytest.mark.parametrize("name", SPLIT)
# OneVision's line break is a parameter of its own, and accelerate knows no part of that name.
@pytest.mark.filterwarnings("ignore:The following device_map keys do not match:UserWarning")
def test_a_split_model_answers_as_a_whole_one(
    tiny_vlm, vlm_folder, name, pictures, tmp_path, monkeypatch
):
    whole = tiny_vlm(name)
    usual = loading.AutoModelForImageTextToText.from_pretrained
    monkeypatch.setattr(
        loading.AutoModelForImageTextToText,
        "from_pretrained",
        functools.partial(usual, offload_folder=str(tmp_path)),
    )
    monkeypatch.setattr(loading, "place", lambda device: Placement(map_of_two(whole.model)))
    chosen = ReaderBackbone(model=str(vlm_folder(name)), device="split", precision="fp32")
    parted, _ = loading.load_vlm(find_model(chosen.model, "", "reader"), chosen)
    assert set(parted.model.hf_device_map.values()) == {"cpu", "disk"}
    assert findings(parted, pictures) == findings(whole, pictures)


def test_a_split_is_left_to_accelerate(vlm_folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    seen = {}

    def load(*given, **named):
        seen.update(named)
        raise OSError("far enough")

    monkeypatch.setattr(loading.AutoModelForImageTextToText, "from_pretrained", load)
    chosen = ReaderBackbone(model=str(vlm_folder("llava15")), device="split")
    with pytest.raises(ConfigError, match="far enough"):
        loading.load_vlm(find_model(chosen.model, "", "reader"), chosen)
    assert seen["device_map"] == "auto"


@pytest.mark.parametrize(
    ("device", "count", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 1, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_one_device_takes_the_whole_model(monkeypatch, device, count, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    found = place(device).device_map
    wanted = torch.device(expected)
    assert found[""] == (torch.device("cuda", 0) if expected == "cuda:0" else wanted)


@pytest.mark.parametrize(
    ("device", "count", "words"),
    [
        ("split", 0, "'split' requires GPUs, found none"),
        ("cuda:2", 2, "found 2 on this machine"),
        ("cuda:-1", 2, "found 'cuda:-1'"),
    ],
)
def test_what_is_not_there_is_one_sentence(monkeypatch, device, count, words):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ConfigError, match=words):
        place(device)


# Qwen counts positions on the CPU, which the other device cannot hand back.
@pytest.mark.parametrize("name", ["pixtral", "idefics3", "gemma3", "paligemma", "llava15"])
def test_all_inputs_go_where_the_model_is(tiny_vlm, pictures, monkeypatch, name):
    reader = tiny_vlm(name)
    query, other = reader.encode(pictures[:2])
    rows = [
        reader.writer.beside(query, QUESTION, known)
        for known in (reader.candidate(other, "benign", "Oval."), None)
    ]
    monkeypatch.setattr(type(reader.model), "device", AWAY)
    answers = [reader.writer.answer(each) for each in ANSWERS]
    given = reader.inputs.padded(rows, answers) | reader.encoder.prepare(pictures[0])
    places = {key: each.device for key, each in given.items() if torch.is_tensor(each)}
    assert {"input_ids", "attention_mask", "position_ids", "labels", "pixel_values"} <= set(places)
    assert set(places.values()) == {AWAY}
