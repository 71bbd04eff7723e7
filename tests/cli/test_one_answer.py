"""One file gets one answer, byte for byte less the timings, in every process of a machine.

In the number type of the machine; `make test-numbers` asks again in the other one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX
from jomed_app.models.number_type import compute_dtype, dtype_name
from jomed_app.types import Result

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = REPOSITORY / "assets" / "examples" / "simulated-2.png"
TIMINGS = re.compile(r'"timings_ms":\{[^}]*\}')
NUM_PROCESSES = 2  # at once, so that each keeps the other busy
BUSY_S = 600


def test_every_process_gives_the_same_answer(tmp_path):
    for needed in (DEFAULT_BUNDLE, DEFAULT_INDEX):
        if not (needed / "manifest.json").is_file():
            pytest.skip(f"no '{needed.name}' is here")
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "JOMED_LOG_DIR": str(tmp_path),
        "OMP_WAIT_POLICY": "passive",  # threads that wait let the other process run
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "jomed_app", "diagnose", str(IMAGE), "--json"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(NUM_PROCESSES)
    ]
    answers = [process.communicate(timeout=BUSY_S)[0] for process in started]
    result = Result.model_validate_json(answers[0])
    number_type = dtype_name(compute_dtype())
    assert result.versions.number_type == result.versions.precision == number_type
    assert len(result.candidates) > 1
    assert len({TIMINGS.sub("", answer) for answer in answers}) == 1
    assert all(len(TIMINGS.findall(answer)) == 1 for answer in answers)
