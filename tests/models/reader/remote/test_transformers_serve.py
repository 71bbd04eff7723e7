"""`transformers serve` itself, with a tiny LLaVA: it answers, but leaves log-probabilities out."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from jomed_app.errors import RemoteError
from tests.tiny_vlms import write_tiny_vlm

pytestmark = pytest.mark.slow
START_S = 120
PROCESSOR = {
    "processor_class": "LlavaProcessor",
    "image_token": "<image>",
    "patch_size": 14,
    "num_additional_image_tokens": 1,
    "vision_feature_select_strategy": "default",
}


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    if importlib.util.find_spec("openai") is None:
        pytest.skip("`transformers serve` needs the package openai, which is not installed")
    folder = tmp_path_factory.mktemp("transformers_serve")
    write_tiny_vlm("llava15", folder / "model")
    (folder / "model" / "processor_config.json").write_text(json.dumps(PROCESSOR))
    (folder / "cache" / "hub").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = "from transformers.cli.transformers import main; main()"
    words = ["serve", str(folder / "model"), "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", command, *words, "--device", "cpu"],
            env=os.environ | {"HF_HOME": str(folder / "cache")},
            stdout=told,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + START_S
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.skip(f"`transformers serve` does not start here: {log.read_text()[-300:]}")
        yield SimpleNamespace(
            url=f"http://127.0.0.1:{port}/v1", dialect="openai", model=str(folder / "model")
        )
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_it_answers_freely_and_is_never_guessed_for(serving, reader_of, reading_of):
    reader = reader_of(serving, model=serving.model, seconds=60.0)
    reading = reading_of(reader)
    assert len(reader.generate(reading, 3)) == 2
    with pytest.raises(RemoteError, match="gave no log-probabilities"):
        reader.score(reading, ["normal", "benign"])


def test_it_refuses_what_it_does_not_know(serving, reader_of, reading_of):
    reader = reader_of(serving, model=serving.model, server="vllm", seconds=60.0)
    with pytest.raises(RemoteError, match=r"refused the question \(HTTP status 422\)"):
        reader.score(reading_of(reader), ["normal", "benign"])
