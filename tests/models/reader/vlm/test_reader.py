"""What a reader can do, family by family; number types; adapters; errors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForImageTextToText

from jomed_app.boxes import Box
from jomed_app.config.backbones import ReaderBackbone
from jomed_app.errors import ConfigError, MemoryShortError
from jomed_app.models.reader.protocol import Attending, Describing, Locating
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.source import find_model
from tests.models.reader.vlm.conftest import QUESTION
from tests.tiny_vlms import FAMILIES

ANSWERS = ["benign", "malignant"]
BOX_WRITERS = {
    "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_5", "gemma3", "paligemma", "internvl",
}  # fmt: skip
ADAPTED = r".*\.language_model\.layers\.\d+\.(?:self_attn|mlp)\.\w*proj"


def scores(reader, pictures):
    query, *others = reader.encode(pictures)
    candidates = [reader.candidate(each, "benign", "Oval.") for each in others]
    return reader.score(reader.read(query, QUESTION, candidates), ANSWERS)


@pytest.mark.parametrize("name", FAMILIES)
def test_abilities_are_told_by_protocols(tiny_vlm, name):
    reader = tiny_vlm(name)
    assert isinstance(reader, Attending)
    assert isinstance(reader, Locating) == (name in BOX_WRITERS)
    assert not isinstance(reader, Describing)


@pytest.mark.parametrize("name", FAMILIES)
def test_attention_lies_over_the_query_and_sums_to_less_than_one(tiny_vlm, pictures, name):
    reader = tiny_vlm(name)
    before = scores(reader, pictures)
    (query,) = reader.encode(pictures[:1])
    heat = reader.attend(query, QUESTION, "benign")
    # Where the model pads to a square of 4 x 4 patches, 70 x 130 px lie in three rows of it.
    assert heat.shape == ((3, 4) if reader.family.twin else query.grid)
    assert (heat >= 0).all()
    assert 0 < heat.sum() < 1
    assert not np.allclose(heat, reader.attend(query, QUESTION, "malignant"), atol=1e-6)
    assert torch.equal(scores(reader, pictures), before), "plain attention is for the map alone"


def test_attention_goes_where_the_model_is_made_to_look(tiny_vlm, pictures, monkeypatch):
    reader = tiny_vlm("qwen2_5_vl")
    (query,) = reader.encode(pictures[:1])
    row = reader.writer.beside(query, QUESTION, None)
    place = row.starts[0] + query.grid[1]  # first patch of the second row

    said = len(row.ids) + len(reader.writer.answer("benign"))
    made = torch.zeros(1, 2, said, said)
    made[..., place] = 1.0
    output = SimpleNamespace(attentions=[made])
    monkeypatch.setattr(reader.model, "forward", lambda **given: output)
    heat = reader.attend(query, QUESTION, "benign")
    assert np.unravel_index(heat.argmax(), heat.shape) == (1, 0)


def test_a_box_said_in_the_family_s_words_is_found(tiny_vlm, pictures, monkeypatch):
    reader = tiny_vlm("qwen2_5_vl")
    (query,) = reader.encode(pictures[:1])
    height, width = query.size
    said = reader.writer.tokenizer(f"[{{'bbox_2d': [0, 0, {width // 2}, {height}]}}]")["input_ids"]
    monkeypatch.setattr(reader.tree, "generate", lambda *_: [said])
    assert reader.locate(query, "lesion") == [Box(0.0, 0.0, 0.5, 1.0)]
    monkeypatch.setattr(reader.tree, "generate", lambda *_: [said[:4]])
    assert reader.locate(query, "lesion") is None


@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3", "llava15"])
def test_other_precisions_answer_alike(load_tiny, pictures, name):
    exact = scores(load_tiny(name), pictures)
    reader = load_tiny(name, precision="bf16")
    assert reader.number_type == "bf16"
    torch.testing.assert_close(scores(reader, pictures), exact, atol=0.6, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "nf4", "int8"])
def test_every_family_reads_in_every_precision(load_tiny, family, pictures, precision):
    reader = load_tiny(family, precision=precision)
    reader.prepare()
    found = scores(reader, pictures)
    assert found.shape == (4, 2)
    assert torch.isfinite(found).all()


def test_four_bits_read(load_tiny, pictures):
    reader = load_tiny("qwen2_5_vl", precision="nf4")
    reader.prepare()
    kinds = {type(each).__name__ for each in reader.model.model.language_model.modules()}
    assert "Linear4bit" in kinds
    assert "Linear4bit" not in {type(each).__name__ for each in reader.model.model.visual.modules()}
    assert torch.isfinite(scores(reader, pictures)).all()


@pytest.mark.parametrize("merge", [False, True])
def test_an_adapter_changes_the_answer_and_merging_it_does_not(
    load_tiny, tiny_vlm, pictures, tmp_path, merge
):
    tuned = load_tiny("qwen2_5_vl")
    peft = get_peft_model(tuned.model, LoraConfig(r=4, target_modules=ADAPTED))
    for key, weight in peft.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(weight, std=0.1)
    peft.save_pretrained(tmp_path)
    expected = scores(tuned, pictures)
    loaded = load_tiny("qwen2_5_vl", adapter=str(tmp_path), merge_adapter=merge)
    torch.testing.assert_close(scores(loaded, pictures), expected, atol=1e-3, rtol=0)
    assert (expected - scores(tiny_vlm("qwen2_5_vl"), pictures)).abs().max() > 0.05


def test_large_images_are_shrunk_first(load_tiny, pictures):
    small, large = load_tiny("pixtral", max_side_px=48), load_tiny("pixtral", max_side_px=448)
    tokens = [len(each.encode(pictures[:1])[0].features) for each in (small, large)]
    assert tokens[0] < tokens[1]


def test_long_passages_are_cut_and_their_special_tokens_mean_nothing(load_tiny, pictures):
    reader = load_tiny("llava15", max_passage_tokens=4)
    query, other = reader.encode(pictures[:2])
    long = "oval round parallel cyst " * 20
    row, cut = (
        reader.writer.beside(query, QUESTION, reader.candidate(other, "benign", text))
        for text in (long, "oval round <image> parallel")
    )
    assert len(row.images) == len(cut.images) == 2
    assert len(row.ids) < len(reader.writer.answer(long))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 20 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_memory_that_runs_out_is_one_sentence(load_tiny, pictures, monkeypatch, error):
    reader = load_tiny("qwen2_5_vl")
    (query,) = reader.encode(pictures[:1])
    reading = reader.read(query, QUESTION, [])
    works = {
        "encode": lambda: reader.encode(pictures[:1]),
        "read": lambda: reader.read(query, QUESTION, []),
        "score": lambda: reader.score(reading, ANSWERS),
        "generate": lambda: reader.generate(reading, 3),
        "attend": lambda: reader.attend(query, QUESTION, "benign"),
        "locate": lambda: reader.locate(query, "lesion"),
    }

    def fail(*_, **__):
        raise error

    before = {name: work() for name, work in works.items() if name in ("score", "attend")}
    with monkeypatch.context() as broken:
        broken.setattr(reader.model.model.language_model, "forward", fail)
        broken.setattr(reader.model.model.visual, "forward", fail)
        for work in works.values():
            with pytest.raises(
                MemoryShortError,
                match=r"^the model requires more memory than is free here; lower "
                r"reader\.rows_at_once, reader\.max_side_px or reader\.max_passage_tokens$",
            ):
                work()
    assert torch.equal(works["score"](), before["score"]), "the next case goes on"
    assert np.array_equal(works["attend"](), before["attend"])


def test_weights_that_do_not_fit_name_the_precision(load_tiny, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", fail)
    with pytest.raises(MemoryShortError, match=r"lower reader\.precision \(nf4 needs least\) or"):
        load_tiny("llava15")


def test_no_row_and_no_answer_are_refused(tiny_vlm, pictures):
    reader = tiny_vlm("llava15")
    (query,) = reader.encode(pictures[:1])
    with pytest.raises(ValueError, match="found neither"):
        reader.read(query, QUESTION, [], with_plain=False)
    reading = reader.read(query, QUESTION, [])
    with pytest.raises(ValueError, match="max_tokens >= 1"):
        reader.generate(reading, 0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"model": "nowhere"}, "folder or a Hub id"),
        ({"model": "some/model"}, "40 hexadecimal digits"),
        ({"model": "some/model", "revision": "main"}, "a branch may change"),
        ({"model": "some/model", "revision": "a" * 40}, "fetch it first: hf download some/model"),
    ],
)
def test_a_model_that_is_not_here_is_one_sentence(settings, text):
    chosen = ReaderBackbone(**settings)
    with pytest.raises(ConfigError, match=text):
        find_model(chosen.model, chosen.revision, "reader")


@pytest.mark.parametrize(
    ("device", "text"), [("cuda:7", "requires that GPU"), ("tpu", "auto, cpu, cuda")]
)
def test_a_device_that_is_not_here_is_one_sentence(vlm_folder, device, text):
    chosen = ReaderBackbone(model=str(vlm_folder("llava15")), device=device)
    with pytest.raises(ConfigError, match=text):
        load_vlm(find_model(chosen.model, "", "reader"), chosen)


def test_a_folder_has_no_revision(vlm_folder):
    with pytest.raises(ConfigError, match=r"found 'main' beside the folder 'llava15'; leave it"):
        find_model(str(vlm_folder("llava15")), "main", "reader")


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"no config\.json"):
        find_model(str(tmp_path), "", "reader")
