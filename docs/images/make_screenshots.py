"""Make the pictures of docs/walkthrough.md: the app as it runs, on simulated images alone.

Run: make screenshots, or PYTHONPATH=. python docs/images/make_screenshots.py [NAME ...]
Starts the app on a free port, shows each state to a Chromium without a window, and stops it. Where
the bundle no longer comes to a state that is a fault: the page must say what its picture is of.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jomed_app.simulator.case import simulate_case
from jomed_app.types import Standing
from jomed_app.ui.text import STANDING_TITLES

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
COLORS = 128  # of a picture: a third of its bytes, and no difference to the eye
# Seeds that no corpus uses, of cases which bundle 5 leaves in these states.
DISAGREE_SEED, CONTRADICTED_SEED = 940_033, 940_016
DESKTOP, TABLET, PHONE = (1440, 900), (820, 1180), (390, 844)


@dataclass(frozen=True)
class Shot:
    """A picture.

    Attributes:
        address: of the page, behind the server's own.
        size: of the window, px.
        theme: dark or light.
        file: to open, named and as bytes; nothing is opened when None.
        says: what must stand on the page.
    """

    address: str = ""
    size: tuple[int, int] = DESKTOP
    theme: str = "dark"
    file: tuple[str, bytes] | None = None
    says: str = ""


def png(pixels: Any) -> bytes:
    """Return pixels, uint8, as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def drawn(seed: int) -> tuple[str, bytes]:
    """Return a simulated case as a file."""
    return "simulated.png", png(simulate_case(seed).image)


def shots() -> dict[str, Shot]:
    """Return all pictures by name."""
    squares = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((48, 48)))
    return {
        "desktop-dark": Shot(says="Final diagnosis"),
        "desktop-light": Shot("?example=simulated-2", theme="light", says="benign"),
        "tablet": Shot("?example=simulated-3", TABLET, says="malignant"),
        "phone": Shot("?example=simulated-3", PHONE, says="malignant"),
        "disagreement": Shot(file=drawn(DISAGREE_SEED), says=STANDING_TITLES[Standing.DISAGREE]),
        "contradiction": Shot(
            file=drawn(CONTRADICTED_SEED), says=STANDING_TITLES[Standing.CONTRADICTED]
        ),
        "abstention": Shot(
            file=("squares.png", png((squares * 255).astype(np.uint8))),
            says=STANDING_TITLES[Standing.ABSTAIN],
        ),
        "error": Shot(file=("broken.png", b"\x89PNG\r\n\x1a\nbroken"), says="Not done."),
        "evidence": Shot("evidence", says="How often the answer is wrong"),
        "collection": Shot("collection", says="Near each other"),
        "about": Shot("about", theme="light", says="Data card"),
    }


@contextmanager
def served() -> Iterator[str]:
    """Serve the app as it ships; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jomed_app", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=HERE.parents[1], stdout=subprocess.DEVNULL) as server:
        base = f"http://127.0.0.1:{port}/"
        try:
            while not _is_loaded(base):
                if server.poll() is not None:
                    raise SystemExit("the app must start, found it ended; start it by hand to see")
                time.sleep(1)
            yield base
        finally:
            server.terminate()


def _is_loaded(base: str) -> bool:
    """Whether the server at an address answers with its models loaded."""
    try:
        with urllib.request.urlopen(f"{base}starting", timeout=5) as answer:  # nosec B310
            return json.load(answer)["is_over"] is True
    except (OSError, ValueError):
        return False


def take(page: Any, base: str, shot: Shot) -> bytes:
    """Return a picture as PNG bytes."""
    page.set_viewport_size({"width": shot.size[0], "height": shot.size[1]})
    mark = "&" if "?" in shot.address else "?"
    page.goto(f"{base}{shot.address}{mark}__theme={shot.theme}")
    if shot.address in {"evidence", "collection", "about"}:
        page.wait_for_selector(f"#content :text({shot.says!r})")
    else:
        page.wait_for_selector("[data-copy=json]")
        if shot.file is not None:
            name, data = shot.file
            file = {"name": name, "mimeType": "image/png", "buffer": data}
            page.set_input_files("#jomed-toolbar input[type=file]", files=[file])
            page.wait_for_selector(f":text({shot.says!r}) >> visible=true")
            page.wait_for_selector("#jomed-toolbar .btn-stop", state="hidden")
        page.wait_for_selector(f":text({shot.says!r}) >> visible=true")
    page.mouse.move(0, 0)
    return bytes(page.screenshot(animations="disabled"))


def main(names: Sequence[str]) -> int:
    """Write the pictures that are named, all when none is."""
    from playwright.sync_api import sync_playwright

    with served() as base, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, shot in shots().items():
            if names and name not in names:
                continue
            context = browser.new_context(reduced_motion="reduce")
            page = context.new_page()
            page.set_default_timeout(180_000)
            page.goto(base)  # a first visit sets the cookie
            page.wait_for_selector("#jomed-toolbar .tools")
            with Image.open(io.BytesIO(take(page, base, shot))) as picture:
                few = picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
                few.save(HERE / f"{name}.png", optimize=True)
            context.close()
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
