"""A file that names a chat server as the reader: from an image to an answer, and through faults."""

from __future__ import annotations

import json
import socket

import pytest

from jomed_app.cli.main import main
from jomed_app.config.backbones import ServedBackbonesConfig, load_backbones
from jomed_app.errors import ConfigError, RemoteError
from jomed_app.inference.load import load_engine
from jomed_app.models.reader.remote.reader import RemoteReader
from jomed_app.types import Result
from jomed_app.ui import text
from jomed_app.ui.handlers import case
from jomed_app.ui.session import CaseStore
from tests.models.reader.remote.chat_server import served
from tests.models.reader.remote.conftest import make_server
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_dual_encoders import write_tiny_dual_encoder

FILE = """
[reader]
url = "{url}"
model = "tiny"
retries = 0
seconds = 1.0
{more}

[retriever]
model = "retriever"
device = "cpu"
"""

pytestmark = pytest.mark.usefixtures("log_elsewhere")


@pytest.fixture(scope="module")
def server():
    with served(make_server()) as state:
        yield state


@pytest.fixture(scope="module")
def named(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_tiny_dual_encoder("siglip2", folder / "retriever")
    (folder / "mine.toml").write_text(FILE.format(url=server.url, more=""), encoding="utf-8")
    (folder / "query.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    return folder / "mine.toml"


@pytest.fixture(scope="module")
def index(named, tiny_corpus):
    out = named.parent / "index"
    words = ["index", "build", "--corpus", str(tiny_corpus[0]), "--bundle", str(named)]
    assert main([*words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def engine(named, index):
    engine = load_engine(named, index)
    yield engine
    engine.reader._client.close()


@pytest.fixture
def other_file(named):
    """Write a file beside the first, of another address or with more settings."""

    def write(url, more=""):
        path = named.parent / "other.toml"
        path.write_text(FILE.format(url=url, more=more), encoding="utf-8")
        return path

    return write


def test_diagnose_answers_by_the_server(named, index, server, capsys):
    words = ["diagnose", str(named.parent / "query.png"), "--bundle", str(named)]
    assert main([*words, "--index", str(index), "--json"]) == 0
    result = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
    malignant = 0.125 * 0.75
    assert len(result.candidates) == 4
    for each in result.candidates:
        total = 0.25 + 0.5 + malignant
        assert each.probabilities == pytest.approx(
            {"normal": 0.25 / total, "benign": 0.5 / total, "malignant": malignant / total},
            abs=1e-5,
        )
    assert result.final.prediction == "benign"
    assert result.final.query_only_prediction == "normal"
    host = server.url.split("/")[2]
    assert result.versions.reader.startswith(f"tiny at {host} (")
    assert (result.versions.number_type, result.versions.precision) == ("of the server", None)


def run(engine):
    """Open the query on a page and run it; the screens."""
    store = CaseStore(lifetime_s=60)
    case.open_case(engine, store, "a", simulated_png(FIRST_FRESH_SEED))
    return list(case.run_case(engine, store, "a"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((429, {}, b""), "HTTP status 429"),
        ((500, {}, b""), "HTTP status 500"),
        ((200, {}, b"{"), "not JSON"),
        ((200, {}, b"{}"), "no chat completion"),
        ((200, {}, b'{"choices": [{"message": {"content": "benign"}}]}'), "no log-probabilities"),
        ((200, {"Content-Length": "9"}, b"{"), "did not answer within 1 s"),
    ],
)
def test_a_fault_is_one_sentence_and_the_page_goes_on(engine, server, fault, words):
    server.faults[:] = [fault] * 5
    screens = run(engine)
    assert words in screens[-1].banner.sentence
    assert screens[-1].banner.sentence.count(". ") <= 1
    server.faults.clear()
    assert "similar cases read" in run(engine)[-1].status.sentence


def test_a_server_that_is_not_there_is_one_sentence(index, other_file, capsys):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    path = other_file(f"http://127.0.0.1:{port}/v1")
    words = ["diagnose", str(path.parent / "query.png"), "--bundle", str(path)]
    assert main([*words, "--index", str(index)]) == 2
    told = capsys.readouterr().err
    assert "cannot be reached" in told
    assert "Traceback" not in told


def test_another_machine_is_on_the_screen(index, other_file, monkeypatch):
    monkeypatch.setattr(RemoteReader, "prepare", lambda _: None)
    with pytest.raises(ConfigError, match=r"reader\.hosts must name '10\.0\.0\.1'"):
        load_engine(other_file("http://10.0.0.1/v1"), index)
    engine = load_engine(other_file("http://10.0.0.1/v1", 'hosts = ["10.0.0.1"]'), index)
    assert engine.info.sent_to == "10.0.0.1 (unencrypted)"
    assert "10.0.0.1 (unencrypted)" in text.LEAVES.format(machine=engine.info.sent_to)


def test_this_machine_is_no_warning(engine):
    assert engine.info.sent_to == ""


def test_a_precision_is_the_servers(named, index):
    with pytest.raises(ConfigError, match="found 'nf4' for a server"):
        load_engine(named, index, precision="nf4")


def test_a_file_with_an_address_is_a_servers(named, other_file):
    config = load_backbones(named)
    assert isinstance(config, ServedBackbonesConfig)
    assert config.retriever.model == str(named.parent / "retriever")
    with pytest.raises(ConfigError, match=r"unknown key 'reader\.precision'"):
        load_backbones(other_file("http://127.0.0.1/v1", 'precision = "nf4"'))
    with pytest.raises(ConfigError, match=r"'reader\.server' must be 'vllm'"):
        load_backbones(other_file("http://127.0.0.1/v1", 'server = "mine"'))


def test_an_evaluation_reads_by_the_server_too(named, index, tiny_real_cases, tmp_path):
    report = tmp_path / "report.json"
    words = ["evaluate", "--task", "breast", "--data", str(tiny_real_cases), "--split", "test"]
    words += ["--bundle", str(named), "--index", str(index), "--out", str(report), "--limit", "2"]
    assert main(words) == 0
    assert "rag" in json.loads(report.read_text())["systems"]


def test_a_fault_names_no_pixel_and_no_question(engine, server):
    server.faults[:] = [(500, {}, b"")] * 5
    reader = engine.reader
    image = engine.candidate_image(engine.index.ids[0])
    reading = reader.read(reader.encode([image])[0], "secret?", [])
    with pytest.raises(RemoteError) as caught:
        reader.score(reading, ["secret label"])
    server.faults.clear()
    assert "secret" not in str(caught.value)
    assert "base64" not in str(caught.value)
