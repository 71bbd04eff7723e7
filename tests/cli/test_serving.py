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
def _heard_interrupts():
    """A suite started in the background ignores interrupts, and so would what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def served(stand_in):
    """How the page was asked to be served; nothing is."""
    asked = {"warmed": threading.Event()}

    class Engine:
        def warm(self, *, cancel):
            asked["warmed"].set()
            asked["stopped"] = until(cancel)

    def load_engine(bundle, index, *, precision):
        asked.update(bundle=bundle, index=index, precision=precision)
        return Engine()

    stand_in("jomed_app.inference.load", load_engine=load_engine)
    stand_in("jomed_app.ui.layout", serve=lambda engine, settings: asked.update(settings=settings))
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
    assert served["warmed"].wait(timeout=20), "candidates are encoded meanwhile"
    assert served["stopped"], "and no longer than the page is served"


def test_a_taken_address_is_said_before_anything_is_loaded(served, port, capsys):
    with socket.create_server(("127.0.0.1", port)):
        assert cli.main(["serve", "--port", str(port)]) == 2
    assert f"found 127.0.0.1:{port} taken or foreign" in capsys.readouterr().err
    assert "bundle" not in served


@pytest.mark.usefixtures("_heard_interrupts")
def test_the_app_serves_the_page_until_it_is_interrupted(tiny_bundle, tiny_index, port, tmp_path):
    """`python app.py` as a person starts it: the page answers, Ctrl-C ends it without a fault."""
    file = tmp_path / "app.toml"
    file.write_text(f"[app]\nport = {port}\n")
    words = ["--bundle", str(tiny_bundle), "--index", str(tiny_index), "--config", str(file)]
    with subprocess.Popen(
        [sys.executable, str(REPOSITORY / "app.py"), *words],
        cwd=tmp_path,
        env=os.environ | {"JOMED_LOG_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            page = wait_for_page(f"http://127.0.0.1:{port}/", server)
            server.send_signal(signal.SIGINT)
            _, complaints = server.communicate(timeout=60)
        finally:
            server.kill()
    assert text.TITLE in page
    assert (server.returncode, "Traceback" in complaints) == (0, False)


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
