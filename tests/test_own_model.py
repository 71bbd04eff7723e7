"""A stranger's way from a folder with a model to an answer: exactly what docs/backbones.md says."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from jomed_app.server.upload_folder import PREFIX
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_dual_encoders import write_tiny_dual_encoder
from tests.tiny_vlms import write_tiny_vlm

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "backbones.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Your own model in ten minutes\n")[1].split("\n## ")[0]
FILE, COMMANDS = re.findall(r"```(?:toml|sh)\n(.*?)```", SECTION, flags=re.DOTALL)[:2]


@pytest.fixture
def place(tmp_path):
    """The folder that a stranger stands in: two model folders and the file, nothing else."""
    write_tiny_vlm("qwen2_5_vl", tmp_path / "reader")
    write_tiny_dual_encoder("siglip2", tmp_path / "retriever")
    (tmp_path / "mine.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "query.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    return tmp_path


def words_of(line: str) -> list[str]:
    program, *words = shlex.split(line)
    assert program == "python"
    return [sys.executable, *words]


def test_one_file_and_three_commands_lead_to_an_answer_on_the_page(place):
    *before, serve = COMMANDS.strip().splitlines()
    assert len(before) == 2
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    own = {"PYTHONPATH": str(REPOSITORY), "JOMED_LOG_DIR": str(place / "log")}
    own |= {"OMP_NUM_THREADS": "1", "GRADIO_SERVER_PORT": port}  # the page's own may be taken
    temporary = place / "temporary"
    temporary.mkdir()
    own |= {"TMPDIR": str(temporary)}
    environment = os.environ | own
    for line in before:
        done = subprocess.run(
            words_of(line), cwd=place, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    server = subprocess.Popen(
        words_of(serve),
        cwd=place,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_until_ready(url, server)
        client = Client(url, verbose=False)
        result = client.predict(image=handle_file(place / "query.png"), api_name="/diagnose")
        client.close()
    finally:
        server.send_signal(signal.SIGINT)
        _, complaints = server.communicate(timeout=60)
    assert (server.returncode, complaints) == (0, ""), "Ctrl-C is no fault"
    assert [*temporary.glob(f"{PREFIX}*")] == [], "and leaves no upload"
    assert len(result["candidates"]) == 4
    assert set(result["final"]["probabilities"]) == {"normal", "benign", "malignant"}
    assert result["question"] == "What is the diagnosis: normal, benign or malignant?"
    assert ": reader" in result["versions"]["reader"]


def wait_until_ready(url: str, server: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert server.poll() is None, server.stderr.read() if server.stderr else ""
        try:
            with urllib.request.urlopen(f"{url}readyz", timeout=20):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.2)
    raise AssertionError("not ready within two minutes")
