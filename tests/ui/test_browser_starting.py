"""The page while a large reader is being loaded, in a browser: a bar, then the page by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from jomed_app.cli.main import main
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_dual_encoders import write_tiny_dual_encoder
from tests.tiny_vlms import write_tiny_vlm
from tests.ui.test_browser import browser, pytestmark

__all__ = ["browser", "pytestmark"]  # a fixture and marks, used by name

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS_A_PIECE = "0.08"
FILE = """
task = "breast"
[reader]
model = "tiny-qwen"
precision = "fp32"
[retriever]
model = "tiny-siglip"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_corpus):
    """A bundle of a tiny Qwen2.5-VL, its models beside it, and an index."""
    folder = tmp_path_factory.mktemp("starting")
    write_tiny_vlm("qwen2_5_vl", folder / "tiny-qwen")
    write_tiny_dual_encoder("siglip2", folder / "tiny-siglip")
    (folder / "mine.toml").write_text(FILE, encoding="utf-8")
    bundle, index = str(folder / "bundle"), str(folder / "index")
    config = ["--config", str(folder / "mine.toml")]
    assert main(["bundle", "export", *config, "--out", bundle]) == 0
    cases = ["--corpus", str(tiny_corpus[0])]
    assert main(["index", "build", *cases, "--bundle", bundle, "--out", index]) == 0
    return folder


@pytest.fixture
def served(place, tmp_path):
    """The address of a server that loads slowly; it ends without a fault."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = ["--bundle", str(place / "bundle"), "--index", str(place / "index"), "--port", port]
    with (tmp_path / "complaints").open("w") as complaints:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.ui.serve_slowly", SECONDS_A_PIECE, *words],
            cwd=REPOSITORY,
            env=os.environ | {"JOMED_LOG_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        assert server.stdout is not None
        said = server.stdout.readline()
        assert said == f"The page is at http://127.0.0.1:{port}\n"
        yield f"http://127.0.0.1:{port}/"
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
        server.stdout.close()
    assert (tmp_path / "complaints").read_text() == ""


def status_of(url, data=None):
    try:
        with urllib.request.urlopen(url, data, timeout=20) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()).get("detail", "")


@pytest.mark.usefixtures("log_elsewhere")
def test_a_bar_then_the_page_then_an_answer(served, browser):
    faults = []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(f"{served}?__theme=dark")
    page.wait_for_selector(".starting progress")
    assert "bundle mine 1, reader tiny-qwen" in page.text_content(".starting-models")
    assert status_of(f"{served}readyz")[0] == 503
    code, sentence = status_of(f"{served}gradio_api/upload", b"x")
    assert (code, "which are still being loaded" in sentence) == (503, True)
    for moment in ("bar.value > 0.2", "words.textContent.includes('loading the reader')"):
        page.wait_for_function(
            "() => { const bar = document.querySelector('.starting progress');"
            f" const words = document.querySelector('.starting-words'); return {moment}; }}"
        )
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    page.wait_for_selector("#jomed-toolbar .tools")
    image = {"name": "q.png", "mimeType": "image/png", "buffer": simulated_png(FIRST_FRESH_SEED)}
    page.set_input_files("#jomed-toolbar input[type=file]", files=[image])
    page.wait_for_selector("[data-copy=json]")
    versions = page.text_content("table.versions")
    assert "tiny-qwen, held in fp32" in versions
    assert "tiny-siglip" in versions
    context.close()
    assert faults == []
