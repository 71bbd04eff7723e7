"""The largest pictures, sent to the running app: what its own process, models in it, takes."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks.reliability.served import Served, served
from benchmarks.reliability.visitors import ApiVisitor, PageVisitor, RefusedError

MOST_MB = 1024
SIDE_PX = 8000  # 64 million px
PATIENCE_S = 180.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told on Linux only"),
]


def large_png(mode: str) -> bytes:
    """Return a grainy picture of 64 million px, 20 to 55 MiB."""
    small = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype=np.uint8)
    gray = Image.fromarray(small).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(gray).astype(np.uint16) * 16)
    elif mode == "RGB":
        flat = Image.new("L", gray.size, 90)
        picture = Image.merge("RGB", (gray, flat, flat))
    else:
        picture = gray
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture
def app(tmp_path: Path):
    with served(tmp_path, "decode_seconds = 120.0") as running:
        await_warm(running)
        yield running


def await_warm(running: Served) -> None:
    """Wait until the models are loaded and every candidate is held."""
    until = time.monotonic() + PATIENCE_S
    while httpx.get(f"{running.url}/readyz", timeout=30).status_code != 200:
        assert time.monotonic() < until, "the app must be ready in time"
        time.sleep(1.0)


def memory_mb(running: Served, what: str) -> int:
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) // 1024


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB"])
def test_64_million_pixels_take_a_gigabyte_at_most_with_the_models(app, mode):
    data = large_png(mode)
    found = [("idle", memory_mb(app, "VmHWM"))]
    for visitor in (ApiVisitor, PageVisitor):
        Path(f"/proc/{app.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        guest = visitor(app.url)
        try:
            assert guest.ask(data)["input"]["rows"] == SIDE_PX
        except RefusedError:  # no scan: asked about, once it was decoded
            pass
        finally:
            guest.leave()
        found += [(visitor.__name__, memory_mb(app, "VmHWM")), ("after", memory_mb(app, "VmRSS"))]
    assert max(most for _, most in found) <= MOST_MB, found
