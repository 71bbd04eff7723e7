"""CLIP, SigLIP and SigLIP2 as retrievers."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model

from jomed_app.config.backbones import RetrieverBackbone
from jomed_app.errors import ConfigError
from jomed_app.models.retriever.dual_encoder import DualEncoder, load_dual_encoder
from jomed_app.models.source import find_model
from tests.tiny_dual_encoders import CONFIGS, write_tiny_dual_encoder

PASSAGES = ["benign oval", "malignant irregular margin, posterior shadow", ""]


@pytest.fixture(scope="module")
def encoder_of(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")

    @functools.cache
    def load(name):
        folder = write_tiny_dual_encoder(name, root / name)
        chosen = RetrieverBackbone(model=str(folder), device="cpu")
        return load_dual_encoder(find_model(chosen.model, "", "retriever"), chosen)

    return load


@pytest.fixture(params=CONFIGS)
def encoder(encoder_of, request):
    return encoder_of(request.param)


@pytest.fixture(scope="module")
def images():
    draw = np.random.default_rng(0)
    return [draw.integers(0, 255, (*each, 3), dtype=np.uint8) for each in ((90, 140), (120, 80))]


def test_rows_have_norm_one_and_the_same_length(encoder, images):
    for rows in (encoder.encode_images(images), encoder.encode_passages(PASSAGES)):
        assert rows.shape[1] == encoder.dim
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_an_image_and_a_passage_are_embedded_as_if_alone(encoder, images):
    alone = np.concatenate([encoder.encode_images([each]) for each in images])
    np.testing.assert_allclose(encoder.encode_images(images), alone, atol=1e-5)
    alone = np.concatenate([encoder.encode_passages([each]) for each in PASSAGES])
    np.testing.assert_allclose(encoder.encode_passages(PASSAGES), alone, atol=1e-5)


@torch.inference_mode()
def test_rows_are_those_of_the_model_s_own_forward(encoder, images):
    shown = encoder.processor(
        images=[Image.fromarray(each) for each in images], return_tensors="pt"
    )
    siglip = encoder.name != "clip"
    texts = encoder.tokenizer(
        PASSAGES,
        padding="max_length" if siglip else True,
        truncation=True,
        max_length=64,
        return_tensors="pt",
    )
    words = {"input_ids": texts["input_ids"]}
    if not siglip:
        words["attention_mask"] = texts["attention_mask"]
    output = encoder.model(**shown, **words)
    np.testing.assert_allclose(
        encoder.encode_images(images), functional.normalize(output.image_embeds), atol=1e-5
    )
    np.testing.assert_allclose(
        encoder.encode_passages(PASSAGES), functional.normalize(output.text_embeds), atol=1e-5
    )


def test_fresh_heads_leave_queries_bit_by_bit(encoder, images):
    assert not encoder.has_trained_heads
    view = encoder.look(images[0], None)
    trained, plain = (encoder.query_vectors(view, trained=each) for each in (True, False))
    for head in ("image", "text"):
        np.testing.assert_array_equal(trained[head], plain[head])
        np.testing.assert_allclose(plain[head], encoder.encode_images(images[:1])[0], atol=1e-6)
    np.testing.assert_array_equal(encoder.encode_query(images[0])["text"], trained["text"])


def test_heads_learn_and_towers_do_not(encoder, images):
    fresh = DualEncoder(encoder.model, encoder.processor, encoder.tokenizer, query_mix=0.5)
    before = fresh.encode_images(images)
    base = torch.from_numpy(before)
    with torch.enable_grad():
        moved = base + fresh.query_heads["image"](base)
        (moved @ torch.ones(fresh.dim)).sum().backward()
    assert fresh.query_heads["image"].weight.grad is not None
    assert all(weight.grad is None for weight in fresh.model.parameters())
    torch.nn.init.normal_(fresh.query_heads["image"].weight)
    assert fresh.has_trained_heads
    view = fresh.look(images[0], None)
    assert not np.allclose(
        fresh.query_vectors(view)["image"], fresh.query_vectors(view, trained=False)["image"]
    )
    np.testing.assert_array_equal(fresh.encode_images(images), before)
    assert fresh.fingerprint == encoder.fingerprint, "heads are no part of what an index needs"


def test_the_fingerprint_tells_encoders_apart(encoder_of):
    assert len({encoder_of(name).fingerprint for name in CONFIGS}) == len(CONFIGS)


def test_the_border_of_an_image_counts(encoder, images):
    changed = images[0].copy()
    changed[:, :8] = 0
    assert not np.allclose(
        encoder.encode_images([changed]), encoder.encode_images(images[:1]), atol=1e-4
    )


def test_a_model_without_texts_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    chosen = RetrieverBackbone(model=str(tmp_path), device="cpu")
    with pytest.raises(ConfigError, match=r"CLIP, SigLIP or SigLIP2"):
        load_dual_encoder(find_model(chosen.model, "", "retriever"), chosen)


def test_what_is_no_encoder_of_texts_is_one_sentence(tmp_path):
    config = Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    Dinov2Model(config).save_pretrained(tmp_path)
    chosen = RetrieverBackbone(model=str(tmp_path), device="cpu")
    with pytest.raises(ConfigError, match="of the kind 'dinov2', which embeds no texts"):
        load_dual_encoder(find_model(chosen.model, "", "retriever"), chosen)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda at: (at / "preprocessor_config.json").write_text("{"), "the image processor of"),
        (lambda at: (at / "tokenizer.json").write_text("{"), "the tokenizer of"),
        (
            lambda at: (at / "model.safetensors").write_bytes(
                (at / "model.safetensors").read_bytes()[:-5]
            ),
            "the weights of .* cannot be read .SafetensorError",
        ),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, damage, words):
    folder = write_tiny_dual_encoder("clip", tmp_path / "damaged")
    damage(folder)
    chosen = RetrieverBackbone(model=str(folder), device="cpu")
    with pytest.raises(ConfigError, match=words) as caught:
        load_dual_encoder(find_model(chosen.model, "", "retriever"), chosen)
    assert "\n" not in str(caught.value)
