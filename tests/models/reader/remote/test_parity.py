"""The same checkpoint behind a server and in the app: the same labels and probabilities.

The server computes by a plain loop, from raw pixels, one row and one answer at a time.
"""

from __future__ import annotations

import base64
import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.source import find_model
from tests.models.reader.remote.chat_server import END, ChatServer, served
from tests.models.reader.vlm.plain_loop import plain_logits
from tests.tiny_vlms import write_tiny_vlm

QUESTION = "What is the diagnosis?"
LABELS = ["normal", "benign", "malignant", "invasive carcinoma"]
SHAPES = ((90, 140), (120, 80), (600, 100))


@pytest.fixture(scope="module", params=["llava15", "qwen2_5_vl"])
def local(request, tmp_path_factory):
    folder = write_tiny_vlm(request.param, tmp_path_factory.mktemp("served") / request.param)
    config = ReaderBackbone(model=str(folder), precision="fp32", device="cpu")
    return load_vlm(find_model(config.model, "", "reader"), config)[0]


@pytest.fixture(scope="module")
def pictures():
    draw = np.random.default_rng(0)
    return [draw.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in SHAPES]


def serving(local):
    """A server over a local model."""
    tokenizer = local.writer.tokenizer
    known = {END: local.writer.end_id}
    lock = threading.Lock()

    def tokens(text):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        texts = [tokenizer.decode([each]) for each in ids]
        known.update(zip(texts, ids, strict=True))
        return texts

    def scores(messages, said):
        pictures, parts = [], []
        for part in messages[0]["content"]:
            if part["type"] == "text":
                parts.append(part["text"])
                continue
            data = base64.b64decode(part["image_url"]["url"].split(",", 1)[1])
            pictures.append(Image.open(io.BytesIO(data)).convert("RGB"))
            parts.append(local.encoder.see(np.asarray(pictures[-1])))
        with lock, torch.inference_mode():
            row = local.writer.row(parts)
            logits = plain_logits(local, row, pictures, [known[each] for each in said])
        log_prob = logits[-1].log_softmax(-1)
        order = log_prob.argsort(descending=True).tolist()
        texts = {each: text for text, each in known.items()}
        shown = [(texts.get(each) or tokenizer.decode([each]), each) for each in order]
        return [
            (text, log_prob[each].item()) for text, each in shown if known.get(text, each) == each
        ]

    return ChatServer(tokens, scores)


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("dialect", ["vllm", "llama_server"])
def test_the_same_labels_and_probabilities(local, pictures, reader_of, dialect, complete):
    def scored(reader):
        query, *others = reader.encode(pictures)
        candidates = [reader.candidate(each, "benign", "Oval.") for each in others]
        reading = reader.read(query, QUESTION, candidates)
        return reader.score(reading, LABELS, complete=complete).double()

    with served(serving(local)) as server:
        server.dialect = dialect
        remote = scored(reader_of(server, answer_lead=local.writer.lead))
    expected = scored(local)
    torch.testing.assert_close(remote, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(remote.softmax(-1), expected.softmax(-1), atol=1e-3, rtol=0)
    assert remote.argmax(-1).tolist() == expected.argmax(-1).tolist()
    assert expected.std() > 0.1, "a flat model would hide mistakes"
