"""Where the page is served, and what a visitor may take: flags, environment, file, defaults."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import app
from jomed_app.cli import main as cli
from jomed_app.cli.serving import HOST_VARIABLE, PORT_VARIABLE, app_settings
from jomed_app.config import AppConfig
from jomed_app.errors import ConfigError
from jomed_app.server import run
from jomed_app.server.upload_folder import PREFIX
from jomed_app.ui import text

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("log_elsewhere")


@pytest.fixture(autouse=True)
def _no_space(monkeypatch):
    for name in (HOST_VARIABLE, PORT_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "app.toml"
    path.write_text('[app]\nhost = "127.0.0.2"\nport = 7001\nmax_file_mb = 3\n')
    return path


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def served(stand_in, monkeypatch):
    """How the page was asked to be served; nothing is."""
    asked = {"warmed": threading.Event()}

    class Engine:
        info = index = profile = standard = None

        def warm(self, *, cancel):
            asked["warmed"].set()
            asked["stopped"] = until(cancel)

    def load_engine(bundle, index, *, precision, on_load):
        asked.update(bundle=bundle, index=index, precision=precision)
        return Engine()

    stand_in("jomed_app.inference.load", load_engine=load_engine)

    def serve(engine, settings, listener, is_warm, gate, shelf, feedback):
        asked.update(settings=settings, address=listener.getsockname(), gate=gate)

    monkeypatch.setattr(run, "serve", serve)
    return asked


def until(cancel) -> bool:
    """Whether it was asked to stop, within twenty seconds."""
    for _ in range(2000):
        if cancel():
            return True
        time.sleep(0.01)
    return False


def test_without_a_word_the_page_stays_on_this_machine():
    assert app_settings(None, None, None) == AppConfig(
        host="127.0.0.1", port=7860, max_file_mb=64, session_minutes=15, max_queue=20
    )


def test_a_flag_wins_over_the_environment_and_that_over_the_file(file, monkeypatch):
    found = app_settings(file, None, None)
    assert (found.host, found.port, found.max_file_mb) == ("127.0.0.2", 7001, 3)
    monkeypatch.setenv(HOST_VARIABLE, "0.0.0.0")
    monkeypatch.setenv(PORT_VARIABLE, "7002")
    found = app_settings(file, None, None)
    assert (found.host, found.port, found.max_file_mb) == ("0.0.0.0", 7002, 3)
    assert app_settings(file, "127.0.0.3", 7003) == found.replaced(host="127.0.0.3", port=7003)


@pytest.mark.parametrize(("word", "found"), [("many", "'many'"), ("-1", "'-1'"), ("0", "0")])
def test_a_port_of_the_environment_that_is_none_is_refused(monkeypatch, word, found):
    monkeypatch.setenv(PORT_VARIABLE, word)
    with pytest.raises(ConfigError, match=f"'port' must be .*, found {found}"):
        app_settings(None, None, None)


@pytest.mark.parametrize("start", [app.main, lambda words: cli.main(["serve", *words])])
def test_the_app_and_the_command_serve_alike(served, file, port, tmp_path, start):
    places = ["--bundle", str(tmp_path / "b"), "--index", str(tmp_path / "i")]
    assert start([*places, "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]) == 0
    assert (served["bundle"], served["index"]) == (tmp_path / "b", tmp_path / "i")
    assert served["settings"] == AppConfig(host="127.0.0.1", port=port, max_file_mb=3)
    assert served["address"] == ("127.0.0.1", port), "and the address is taken from the beginning"
    assert served["warmed"].wait(timeout=20), "candidates are encoded meanwhile"
    assert served["stopped"], "and no longer than the page is served"


def test_a_space_names_bundle_and_index_by_variables(served, port, tmp_path, monkeypatch):
    monkeypatch.setenv("JOMED_BUNDLE", str(tmp_path / "b"))
    monkeypatch.setenv("JOMED_INDEX", str(tmp_path / "i"))
    assert app.main(["--port", str(port)]) == 0
    assert (served["bundle"], served["index"]) == (tmp_path / "b", tmp_path / "i")
    assert app.main(["--port", str(port), "--bundle", str(tmp_path / "c")]) == 0
    assert served["bundle"] == tmp_path / "c", "a flag wins"


def test_a_taken_address_is_said_before_anything_is_loaded(served, port, capsys):
    with socket.create_server(("127.0.0.1", port)):
        assert cli.main(["serve", "--port", str(port)]) == 2
    assert f"found 127.0.0.1:{port} taken or foreign" in capsys.readouterr().err
    assert "bundle" not in served


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--port", "99999"], "less than or equal to 65535"),
        (["--port", "many"], "a valid integer"),
        (["--host", "192.0.2.77"], "found 192.0.2.77:7860 taken or foreign"),
        (["--host", "not a name"], "taken or foreign"),
        (["--host", "a" * 300], "taken or foreign"),
        (["--host", "\N{SNOWMAN}.example.."], "taken or foreign"),
    ],
)
def test_an_address_that_is_none_is_one_sentence(served, capsys, words, complaint):
    assert cli.main(["serve", *words]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert "bundle" not in served


@pytest.fixture
def start(tiny_bundle, tiny_index, port, tmp_path):
    """Start `python app.py` as a person does, with a folder of its own for temporary files."""
    file = tmp_path / "app.toml"
    file.write_text(f"[app]\nport = {port}\nmetrics = true\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ["--bundle", str(tiny_bundle), "--index", str(tiny_index), "--config", str(file)]
    started = []

    def run_app() -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "app.py"), *words],
            cwd=tmp_path,
            env=os.environ
            | {
                "JOMED_LOG_DIR": str(tmp_path),
                "OMP_NUM_THREADS": "1",
                "TMPDIR": str(temporary),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(server)
        return server

    yield run_app
    for server in started:
        server.kill()
        server.communicate()


def test_the_app_serves_the_page_and_leaves_no_upload_behind(start, port, tmp_path):
    """The page and the probes answer; what a killed app left goes at the next start, a stopped
    one leaves nothing. An interrupted one is a stranger's, in tests/test_own_model.py.
    """
    page = f"http://127.0.0.1:{port}/"
    url = f"{page}readyz"  # before that, the page only tells how far it is
    server = start()
    assert text.TITLE in wait_for_page(page, server)
    assert "ok" in wait_for_page(f"{page}healthz", server)
    wait_for_page(url, server)
    counted = wait_for_page(f"{page}metrics", server)
    assert 'jomed_requests_total{method="GET",status="200"}' in counted
    assert "jomed_line 0.0" in counted
    (killed,) = (tmp_path / "temporary").glob(f"{PREFIX}*")
    (killed / "left").write_text("an upload")
    assert ended(server, signal.SIGKILL)[0] == -signal.SIGKILL
    assert (killed / "left").exists()
    server = start()
    wait_for_page(url, server)
    (own,) = (tmp_path / "temporary").glob(f"{PREFIX}*")
    assert own != killed
    (own / "left").write_text("an upload")
    assert ended(server, signal.SIGTERM) == (0, f"The page is at {page[:-1]}\n", "")
    assert list((tmp_path / "temporary").iterdir()) == []


def ended(server: subprocess.Popen[str], how: int) -> tuple[int, str, str]:
    """Exit code of a server after a signal, and what it said on its two streams."""
    server.send_signal(how)
    said, complaints = server.communicate(timeout=120)
    return server.returncode, said, complaints


def wait_for_page(url: str, server: subprocess.Popen[str]) -> str:
    """The page, once it is served; a server that ends before is a fault."""
    for _ in range(600):
        assert server.poll() is None, "the app ended early"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("no page within two minutes")
