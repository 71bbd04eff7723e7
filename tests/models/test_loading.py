"""Precision, quantization and adapters."""

from __future__ import annotations

from threading import Barrier, Thread
from types import SimpleNamespace

import bitsandbytes
import pytest
import torch

from jomed_app.errors import ConfigError
from jomed_app.models import loading
from jomed_app.models.adapters import attach_lora, merge_lora
from jomed_app.models.loading import (
    Precision,
    build_llava,
    choose_precision,
    load_image_text_model,
    parse_precision,
    prepare_for_answers,
    quantization_config,
    store_quantized,
)
from jomed_app.models.number_type import NUMBER_TYPES, VARIABLE
from jomed_app.models.reader.feature_forward import call_hidden
from tests.tiny_models import build_tiny_reader

WORDS = ["benign", "malignant"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder with a tiny model, plain weights, and its tokenizer."""
    folder = tmp_path_factory.mktemp("plain")
    reader = build_tiny_reader(7, WORDS)
    reader.model.save_pretrained(folder)
    reader.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def stored(plain, tmp_path_factory):
    """The same, stored in NF4."""
    folder = tmp_path_factory.mktemp("nf4")
    store_quantized(plain, folder)
    return folder


def four_bit_layers(model):
    return [each for each in model.modules() if isinstance(each, bitsandbytes.nn.Linear4bit)]


def text_logits(model):
    ids = torch.arange(3, 19)[None]
    causal = torch.ones(1, 1, 16, 16, dtype=torch.bool).tril()
    hidden = model.model.language_model(input_ids=ids, attention_mask=causal).last_hidden_state
    return model.lm_head(hidden).float()


@pytest.mark.parametrize("precision", list(Precision))
def test_every_precision_has_its_name(precision):
    assert parse_precision(precision.value) is precision


def test_an_unknown_precision_names_the_known():
    with pytest.raises(ConfigError, match="one of auto, fp32, bf16, int8, nf4, found 'fp8'"):
        parse_precision("fp8")


@pytest.fixture
def machine(monkeypatch):
    """A machine of some memory, GiB, without a GPU; its rule's number type is given by name."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def has(total, number_type):
        monkeypatch.setattr(loading, "_total_memory_gib", lambda: total)
        monkeypatch.setattr(loading, "rule_dtype", lambda: NUMBER_TYPES[number_type])

    return has


@pytest.mark.parametrize(
    ("size", "total", "number_type", "expected"),
    [
        (1.0, 8.0, "fp32", Precision.FP32),  # bf16 is emulated, and fp32 fits
        (1.0, 8.0, "bf16", Precision.BF16),
        (2.5, 8.0, "fp32", Precision.BF16),  # emulated, but fp32 would take 5 of 4 GiB
        (4.5, 8.0, "bf16", Precision.NF4),  # not even bf16 fits into half of the memory
        (4.5, 8.0, "fp32", Precision.NF4),
    ],
)
def test_precision_follows_the_processor_and_the_memory(
    machine, size, total, number_type, expected
):
    machine(total, number_type)
    assert choose_precision(size) is expected


@pytest.mark.parametrize("name", ["bf16", "fp32"])
@pytest.mark.parametrize("size", [1.0, 2.5, 4.5])
def test_a_number_type_that_is_set_is_the_precision(machine, monkeypatch, name, size):
    machine(8.0, "fp32")
    monkeypatch.setenv(VARIABLE, name)
    assert choose_precision(size).value == name


def test_memory_is_that_of_the_machine_whatever_is_free(monkeypatch):
    whole = loading._total_memory_gib()
    held = torch.ones(2**25)  # 128 MiB, touched
    assert loading._total_memory_gib() == whole
    assert held.sum() > 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    properties = SimpleNamespace(total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert loading._total_memory_gib() == 24


def test_plain_forms_are_not_quantized():
    assert quantization_config(Precision.FP32) is None
    assert quantization_config(Precision.BF16) is None
    assert quantization_config(Precision.INT8).load_in_8bit
    assert quantization_config(Precision.NF4).bnb_4bit_quant_type == "nf4"


def test_only_the_language_model_is_quantized(stored):
    model = load_image_text_model(stored, Precision.NF4)
    assert len(four_bit_layers(model)) == 2 * 7  # two layers, seven linears each
    assert not four_bit_layers(model.model.vision_tower)
    assert not four_bit_layers(model.model.multi_modal_projector)
    assert not model.training


@torch.inference_mode()
def test_stored_and_fresh_nf4_agree(plain, stored):
    fresh = text_logits(load_image_text_model(plain, Precision.NF4))
    assert torch.equal(text_logits(load_image_text_model(stored, Precision.NF4)), fresh)


@torch.inference_mode()
def test_nf4_comes_back_as_plain_weights(plain, stored):
    exact = text_logits(load_image_text_model(plain, Precision.FP32))
    model = load_image_text_model(stored, Precision.FP32)
    assert not four_bit_layers(model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    restored = text_logits(model)
    cosine = torch.nn.functional.cosine_similarity(restored, exact, dim=-1)
    assert 0.85 < cosine.mean() < 0.9999  # close, and not the same: it was in 4 bits
    packed = text_logits(load_image_text_model(stored, Precision.NF4))
    assert torch.nn.functional.cosine_similarity(restored, packed, dim=-1).mean() > 0.99


def test_stored_nf4_does_not_become_int8(stored):
    with pytest.raises(ConfigError, match=r"stored in NF4 can run as nf4, bf16 or fp32, not as"):
        load_image_text_model(stored, Precision.INT8)


def test_tokenizer_files_travel_along(plain, stored):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (stored / name).read_bytes() == (plain / name).read_bytes()


def test_named_files_travel_along(plain, tmp_path):
    (plain / "note.txt").write_text("x")
    store_quantized(plain, tmp_path / "out", ["note.txt", "absent.txt"])
    assert (tmp_path / "out" / "note.txt").read_text() == "x"
    assert not (tmp_path / "out" / "absent.txt").exists()


def test_building_from_folders_joins_the_parts(tmp_path):
    source = build_tiny_reader(7, WORDS)
    source.model.model.vision_tower.save_pretrained(tmp_path / "tower")
    language = source.model.model.language_model
    from transformers import LlamaForCausalLM

    text = LlamaForCausalLM(language.config)
    text.model.load_state_dict(language.state_dict())
    text.tie_weights()
    text.save_pretrained(tmp_path / "language")
    built = build_llava(tmp_path / "tower", tmp_path / "language", 5)
    assert built.config.image_token_id == 5
    for part in ("vision_tower", "language_model"):
        expected = getattr(source.model.model, part).state_dict()
        for name, value in getattr(built.model, part).state_dict().items():
            assert torch.equal(value, expected[name]), name
    assert built.lm_head.weight is built.get_input_embeddings().weight


def packed_layers(model):
    return [
        each
        for each in four_bit_layers(model)
        if getattr(each.weight.quant_state, "packing_format_for_cpu", False)
    ]


def test_four_bit_weights_are_laid_out_before_the_first_answer(stored):
    """Else two first answers at once read weights that are half laid out."""
    model = load_image_text_model(stored, Precision.NF4)
    assert packed_layers(model) == []
    prepare_for_answers(model)
    expected = four_bit_layers(model) if bitsandbytes.functional.has_avx512bf16() else []
    assert packed_layers(model) == expected
    alone, together, barrier = text_logits(model), {}, Barrier(2)

    def answer(name):
        barrier.wait()
        together[name] = text_logits(model)

    threads = [Thread(target=answer, args=(name,)) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(torch.equal(together[name], alone) for name in "ab")


def run_row(reader, features):
    """Hidden states of one query row, with gradients."""
    ids = torch.tensor([reader.prompts.query("What is it?")])
    length = ids.shape[1]
    causal = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    return call_hidden(reader.model, ids, causal, torch.arange(length)[None], [features])


def test_adapters_learn_after_an_answer_on_nf4_weights(stored):
    # The trap: a forward in eval mode repacks 4-bit layers, and no gradient passes from then on.
    reader = build_tiny_reader(7, WORDS)
    reader.model = load_image_text_model(stored, Precision.NF4)
    attach_lora(reader.model, rank=4, alpha=8)
    with torch.autocast("cpu", torch.bfloat16):  # as in training: adapters are fp32, the rest bf16
        image = reader.encode_pixels(torch.randn(1, 3, 128, 128))[0]
        reader.read(image, "What is it?", [])
        reader.model.train()
        hidden = run_row(reader, image.features.clone())
    hidden.float().square().mean().backward()
    norms = {
        name: float(parameter.grad.norm())
        for name, parameter in reader.model.named_parameters()
        if "lora_B" in name
    }
    assert len(norms) == 2 * 7
    assert min(norms.values()) > 0
    first_layer = [norm for name, norm in norms.items() if ".layers.0." in name]
    assert len(first_layer) == 7


def test_what_learns():
    model = build_tiny_reader(7, WORDS).model
    attach_lora(model, rank=4, alpha=8)
    learning = {name for name, each in model.named_parameters() if each.requires_grad}
    assert not any("vision_tower" in name for name in learning)
    assert sum("lora_" in name for name in learning) == 2 * 2 * 7
    rest = {name for name in learning if "lora_" not in name}
    assert all("multi_modal_projector" in name or "embed_tokens" in name for name in rest)
    assert any("multi_modal_projector" in name for name in rest)


@torch.inference_mode()
def test_merging_equals_the_adapted_model():
    model = build_tiny_reader(7, WORDS).model
    before = text_logits(model)
    adapted = attach_lora(model, rank=4, alpha=8)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    expected = text_logits(model)
    merged = merge_lora(adapted)
    torch.testing.assert_close(text_logits(merged), expected, atol=1e-4, rtol=1e-4)
    assert (expected - before).abs().max() > 0.1
    assert not any("lora_" in name for name, _ in merged.named_parameters())
    assert not any(parameter.requires_grad for parameter in merged.parameters())
