"""Labels by log-probabilities, with hand values; without any, an error and never a guess."""

from __future__ import annotations

import math

import pytest
import torch

from jomed_app.config.remote import RemoteReaderConfig
from jomed_app.errors import ConfigError, RemoteError
from jomed_app.models.reader.protocol import Attending, Describing, Locating, Sending
from jomed_app.models.reader.remote.dialects import DIALECTS
from jomed_app.models.reader.remote.load import load_remote
from tests.models.reader.remote.chat_server import served
from tests.models.reader.remote.conftest import make_server
from tests.threads import at_once

SHORT = ["normal", "benign"]
LONG = ["normal", "benign", "malignant"]
TOLD = b'{"choices": [{"message": {}, "logprobs": {"content": [{"token": "a"%s}]}}]}'
BESIDE, ALONE = (0.25, 0.5), (0.5, 0.25)


@pytest.fixture(params=sorted(set(DIALECTS) - {"openai"}))
def any_server(request):
    with served(make_server(dialect=request.param)) as state:
        yield state


def assert_scores(found, probabilities):
    torch.testing.assert_close(found, torch.tensor(probabilities).log(), atol=1e-6, rtol=0)


def test_labels_of_one_token_take_one_question_a_row(any_server, reader_of, reading_of):
    reader = reader_of(any_server)
    assert_scores(reader.score(reading_of(reader), SHORT), [BESIDE, ALONE])
    assert len(any_server.asked) == 2
    for asked in any_server.asked:
        assert asked["max_tokens"] == 1
        assert sorted(any_server.choices(asked)) == sorted(SHORT)


def test_longer_labels_take_a_question_each(any_server, reader_of, reading_of):
    reader = reader_of(any_server)
    expected = [(*BESIDE, 0.125 * 0.75), (*ALONE, 0.125 * 0.75)]
    assert_scores(reader.score(reading_of(reader), LONG), expected)
    assert len(any_server.asked) == 2 + 2 * 3


def test_the_end_of_an_answer_counts_where_it_is_asked_for(any_server, reader_of, reading_of):
    reader = reader_of(any_server)
    found = reader.score(reading_of(reader), ["benign", "malignant"], complete=True)
    row = (0.6, 0.125 * 0.75 * 0.8)
    assert_scores(found, [(0.5 * row[0], row[1]), (0.25 * row[0], row[1])])


def test_a_label_may_begin_as_another(any_server, reader_of, reading_of):
    reader = reader_of(any_server)
    found = reader.score(reading_of(reader), ["benign", "benign cyst"])
    assert_scores(found, [(0.5, 0.5 * 0.2), (0.25, 0.25 * 0.2)])


def test_what_a_template_puts_before_an_answer_is_scored_too(any_server, reader_of, reading_of):
    reader = reader_of(any_server, answer_lead=" ")
    assert_scores(reader.score(reading_of(reader), ["malignant"]), [[0.0625 * 0.75]] * 2)


@pytest.mark.parametrize("labels", [SHORT, LONG])
@pytest.mark.parametrize("complete", [False, True])
def test_missing_log_probabilities_are_an_error(
    any_server, reader_of, reading_of, labels, complete
):
    any_server.gives_log_probs = False
    reader = reader_of(any_server)
    with pytest.raises(RemoteError, match="gave no log-probabilities, by which labels") as caught:
        reader.score(reading_of(reader), labels, complete=complete)
    assert DIALECTS[any_server.dialect].needs in str(caught.value)


def test_a_server_that_counts_what_it_must_say_is_found_out(reader_of, reading_of):
    with served(make_server(dialect="llama_server", counts_constraint=True)) as state:
        state.tokens = lambda text: [text[:1], text[1:]]
        reader = reader_of(state)
        with pytest.raises(RemoteError, match="says that every label is certain"):
            reader.score(reading_of(reader), LONG)


def test_a_server_of_another_kind_scores_labels_of_one_token(reader_of, reading_of):
    with served(make_server(dialect="openai")) as state:
        reader = reader_of(state)
        assert_scores(reader.score(reading_of(reader), SHORT), [BESIDE, ALONE])
        assert {*state.asked[0]} == {
            "model", "messages", "max_tokens", "temperature", "logprobs", "top_logprobs",
        }  # fmt: skip
        with pytest.raises(RemoteError, match="labels that are one token"):
            reader.score(reading_of(reader), LONG)


def test_a_constraint_that_is_ignored_is_an_error(reader_of, reading_of):
    with served(make_server(dialect="vllm")) as state:
        reader = reader_of(state, server="llama_server")
        with pytest.raises(RemoteError, match="no log-probabilities"):
            reader.score(reading_of(reader), LONG)


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b"null",
        b'{"choices": []}',
        TOLD % b', "logprob": NaN',
        TOLD % b', "logprob": 3',
        TOLD % b"",
    ],
)
def test_an_answer_of_another_form_is_an_error(server, reader_of, reading_of, answer):
    server.faults += [(200, {}, answer)] * 2
    reader = reader_of(server)
    with pytest.raises(RemoteError, match="no chat completion"):
        reader.score(reading_of(reader), SHORT)


def test_minus_9999_is_no_probability(server, reader_of, reading_of):
    server.scores = lambda _, said: [("normal", -0.1), ("benign", -9999.0)]
    reader = reader_of(server)
    with pytest.raises(RemoteError, match="no log-probabilities"):
        reader.score(reading_of(reader), SHORT)


def test_rows_are_told_apart_and_keep_their_order(server, reader_of, image):
    reader = reader_of(server, at_once=2)
    query, other = reader.encode([image, 255 - image])
    case = reader.candidate(other, "benign", "")
    found = reader.score(reader.read(query, "What?", [case] * 4), SHORT)
    assert_scores(found, [BESIDE] * 4 + [ALONE])
    alone = reader.read(query, "What?", [case], with_plain=False)
    assert reader.score(alone, SHORT).shape == (1, 2)


def test_free_answers(any_server, reader_of, reading_of):
    reader = reader_of(any_server)
    assert reader.generate(reading_of(reader), 1) == ["benign", "normal"]
    assert all("logprobs" not in each for each in any_server.asked)
    with pytest.raises(ValueError, match="max_tokens >= 1, found 0"):
        reader.generate(reading_of(reader), 0)


def test_bad_calls_are_named(server, reader_of, image, reading_of):
    reader = reader_of(server)
    with pytest.raises(ValueError, match="found neither"):
        reader.read(reader.encode([image])[0], "What?", [], with_plain=False)
    with pytest.raises(ValueError, match="at least one token"):
        reader.score(reading_of(reader), ["", "x"])


def test_what_it_can_do(server, reader_of, reading_of, image):
    reader = reader_of(server)
    assert isinstance(reader, Sending)
    for ability in (Describing, Locating, Attending):
        assert not isinstance(reader, ability)
    assert reader.sent_to == ""
    assert reader.name == f"tiny at {server.url.split('/')[2]}"
    sent = reader.encode([image])[0]
    assert reader.num_bytes(reader.candidate(sent, "a", "b")) == len(sent.url)


def test_the_model_is_asked_for_before_the_first_case(server, reader_of):
    reader_of(server).prepare()
    with pytest.raises(RemoteError, match=r"must serve reader\.model 'other'"):
        reader_of(server, model="other").prepare()


def test_settings_reach_the_server(server, reader_of, reading_of, monkeypatch):
    monkeypatch.setenv("MY_KEY", "k-1")
    reader = reader_of(server, key_variable="MY_KEY", max_side_px=30, max_passage_chars=2)
    reader.generate(reading_of(reader), 3)
    assert server.headers[0]["Authorization"] == "Bearer k-1"
    assert {each["max_tokens"] for each in server.asked} == {3}
    assert any(
        part.get("text", "").endswith("benign. A ".rstrip())
        for each in server.asked
        for part in each["messages"][0]["content"]
    )


@pytest.mark.parametrize("value", [None, "", "ключ", "a\nb"])
def test_a_key_that_is_none_is_refused_and_not_shown(monkeypatch, value):
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    config = RemoteReaderConfig(url="http://127.0.0.1:1/v1", model="x", key_variable="MY_KEY")
    with pytest.raises(ConfigError, match=r"reader\.key_variable") as caught:
        load_remote(config)
    assert not value or value not in str(caught.value)


def test_a_key_never_travels_unencrypted(monkeypatch):
    monkeypatch.setenv("MY_KEY", "k-1")
    config = RemoteReaderConfig(
        url="http://10.0.0.1/v1", model="x", hosts=("10.0.0.1",), key_variable="MY_KEY"
    )
    with pytest.raises(ConfigError, match="https://"):
        load_remote(config)


def test_another_machine_is_told_in_the_log(caplog):
    config = RemoteReaderConfig(url="https://10.0.0.1/v1", model="x", hosts=("10.0.0.1",))
    assert load_remote(config).sent_to == "10.0.0.1"
    assert "images are sent to another machine: 10.0.0.1" in caplog.text


def test_scores_are_nats(server, reader_of, reading_of):
    reader = reader_of(server)
    found = reader.score(reading_of(reader), ["normal"])
    assert found.dtype == torch.float32
    assert found[1, 0].item() == pytest.approx(math.log(0.5))


def test_four_threads_find_what_one_finds(any_server, reader_of, image):
    reader = reader_of(any_server)

    def findings(number):
        query, other = reader.encode([image, 255 - image])
        shown = [reader.candidate(other, "benign", "A cyst.")] * number
        reading = reader.read(query, f"Case {number}?", shown)
        scores = [reader.score(reading, labels).tolist() for labels in (SHORT, LONG)]
        return [*scores, reader.generate(reading, 3)]

    expected = [findings(number) for number in range(4)]
    assert len({str(each) for each in expected}) == 4
    assert at_once(findings) == expected
