"""Phase 2 of models that a file names: a server teaches as a model here does, and is asked once."""

from __future__ import annotations

import math

import pytest
from safetensors.torch import load_file

from jomed_app.cli.stages import stages_of
from jomed_app.config.backbones import ServedBackbonesConfig, load_backbones
from jomed_app.errors import CandidatesIgnoredError, ConfigError
from jomed_app.models.retriever.kept_heads import HEADS_FILE
from jomed_app.training.reader.named_stage import named_reader_stage
from jomed_app.training.retriever.named_stage import named_retriever_stage
from jomed_app.training.run.named_run import TUNED_FILE
from tests.models.reader.remote.chat_server import END, ChatServer, served
from tests.tiny_bundle import write_tiny_corpus
from tests.tiny_dual_encoders import write_tiny_dual_encoder

LABELS = ("normal", "benign", "malignant")
PAIR = """
task = "breast"
data = "cases"
split = "{split}"

[reader]
url = "{url}"
model = "tiny"

[retriever]
model = "retriever"
device = "cpu"
query_mix = 1.0

[train_retriever]
steps = 4
lr = 1e-2
num_image = 2
num_text = 1
"""


def believes(share):
    """A server that gives the candidate's own label so much more than the others."""

    def scores(messages, said):
        if said:
            return [(END, 0.0)]
        shown = str(messages).partition("Reference:")[2]
        likely = {each: 1 + share * (f" {each}." in shown) for each in LABELS}
        whole = sum(likely.values())
        found = [(each, math.log(value / whole)) for each, value in likely.items()]
        return sorted(found, key=lambda each: -each[1])

    return ChatServer(lambda text: [text], scores)


@pytest.fixture
def pair(tmp_path):
    """Write a file that names a server and a retriever."""
    write_tiny_corpus(tmp_path / "cases")
    write_tiny_dual_encoder("clip", tmp_path / "retriever")

    def write(url, split=""):
        path = tmp_path / "pair.toml"
        path.write_text(PAIR.format(url=url, split=split), encoding="utf-8")
        config = load_backbones(path)
        assert isinstance(config, ServedBackbonesConfig)
        return config

    return write


def test_a_server_teaches_and_is_asked_once(pair, tmp_path):
    with served(believes(4.0)) as state:
        named_retriever_stage(pair(state.url), tmp_path / "run")
        asked = len(state.asked)
        assert asked > 0
        heads = load_file(tmp_path / "run" / "retriever" / "heads" / HEADS_FILE)
        assert heads["image.weight"].any()
        assert heads["text.weight"].any()
        named_retriever_stage(pair(state.url), tmp_path / "run")
        assert len(state.asked) == asked, "its answers were kept"
        again = load_file(tmp_path / "run" / "retriever" / "heads" / HEADS_FILE)
        assert all((again[name] == value).all() for name, value in heads.items())
    tuned = load_backbones(tmp_path / "run" / TUNED_FILE)
    assert tuned.retriever.heads == str(tmp_path / "run" / "retriever" / "heads")
    assert isinstance(tuned, ServedBackbonesConfig)


def test_a_reader_that_ignores_its_candidates_teaches_nothing(pair, tmp_path):
    with (
        served(believes(0.0)) as state,
        pytest.raises(CandidatesIgnoredError, match="the reader ignores its candidates"),
    ):
        named_retriever_stage(pair(state.url), tmp_path / "run")


def test_a_server_is_tuned_where_it_runs(pair, tmp_path):
    config = pair("http://127.0.0.1:9/v1")
    with pytest.raises(ConfigError, match=r"found a server as reader\.url"):
        named_reader_stage(config, tmp_path / "run")
    assert list(stages_of("all", config)) == ["retriever"]
    with pytest.raises(ConfigError, match="the stages are retriever and all, found 'reader'"):
        stages_of("reader", config)


def test_tuning_without_cases_is_one_sentence(pair, tmp_path):
    config = pair("http://127.0.0.1:9/v1").replaced(data="")
    with pytest.raises(ConfigError, match=r"found no data; add --set data=DIR"):
        named_retriever_stage(config, tmp_path / "run")
