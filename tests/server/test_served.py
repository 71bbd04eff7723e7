"""The running server: its end while a case is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from jomed_app.server.drain import CLOSING
from tests.ui.fake_engine import png_bytes
from tests.ui.serve_fake import SLOW_COLUMNS
from tests.ui.test_layout import REPOSITORY, call, upload


@pytest.fixture
def start(tmp_path):
    """Start the page with the fake engine; return its process and address."""
    started = []

    def run(drain_s: float = 0, **environment: str) -> tuple[subprocess.Popen[str], str]:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.ui.serve_fake", str(tmp_path / "site"), str(drain_s)],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(server)
        return server, json.loads(server.stdout.readline())["url"]

    yield run
    for server in started:
        server.kill()
        server.communicate()


def status_of(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_case_that_is_read_is_finished_before_the_server_ends(start):
    server, url = start(drain_s=60)
    site = SimpleNamespace(url=url)
    path = upload(site, "a.png", png_bytes(3, columns=SLOW_COLUMNS))  # five seconds to read
    answers = []
    visitor = threading.Thread(target=lambda: answers.append(call(site, path)))
    visitor.start()
    time.sleep(1.5)
    assert status_of(url + "readyz")[0] == 200
    server.send_signal(signal.SIGTERM)
    for _ in range(100):
        if status_of(url + "readyz")[0] == 503:
            break
        time.sleep(0.05)
    assert status_of(url) == (503, json.dumps({"detail": CLOSING}, separators=(",", ":")))
    assert status_of(url + "healthz")[0] == 200
    visitor.join(timeout=60)
    assert [name for name, _ in answers] == ["complete"], answers
    result = answers[0][1][0]
    assert result["final"]["prediction"] == "malignant"
    assert server.wait(timeout=30) == 0


def test_a_second_signal_ends_the_server_at_once(start):
    server, url = start(drain_s=600)
    site = SimpleNamespace(url=url)
    path = upload(site, "a.png", png_bytes(3, columns=SLOW_COLUMNS))
    body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}).encode()
    request = urllib.request.Request(
        url + "gradio_api/call/diagnose", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        event = json.loads(answer.read())["event_id"]
    with urllib.request.urlopen(f"{url}gradio_api/call/diagnose/{event}", timeout=60):
        server.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
