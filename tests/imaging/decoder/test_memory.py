"""What the largest images take: peak memory of a reading process and its worker together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
MOST_MB = 1024
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told on Linux only")

# One process that opens a case as the page does, in a worker, and says what both took at most.
OPEN = """
import io, json, sys
from pathlib import Path
import numpy as np
from PIL import Image
from jomed_app.imaging.decoder import DecodeLimits, DecoderPool
from jomed_app.ui.images import png_data_url
from jomed_app.ui.panels.viewer.window import window_controls

def peak(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

data = Path(sys.argv[1]).read_bytes()
with DecoderPool(limits=DecodeLimits(seconds=300)) as pool:
    image = pool.read_image(data)
    png_data_url(image.model_input)
    window_controls(image)
    (worker,) = pool._idle
    print(json.dumps({"here": peak("self"), "worker": peak(worker.pid), "rows": image.info.rows}))
"""


def peaks(path):
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@ON_LINUX
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA", "LA", "P", "gray RGB"])
def test_64_million_pixels_take_a_gigabyte_at_most(tmp_path, mode):
    from PIL import Image

    path = tmp_path / "large.png"
    picture = Image.new("RGB" if mode == "gray RGB" else mode, (8000, 8000), 0)
    if mode in ("RGB", "RGBA"):
        picture.putpixel((5, 5), (1, 2, 3, 4)[: len(mode)])
    picture.save(path, compress_level=1)
    picture = None
    found = peaks(path)
    assert found["rows"] == 8000
    assert found["here"] + found["worker"] <= MOST_MB, found
