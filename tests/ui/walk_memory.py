"""Open, run and purge cases over a real server in this process, then walk all of its objects.

python -m tests.ui.walk_memory FOLDER prints, as JSON, what is still there of the cases: arrays,
bytes and texts by their content, and the package's own records by their type; after a purge, and
after a tab was closed. A process of its own, for the walk would find what other tests hold.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jomed_app.cli.startup import prepare_process
from jomed_app.imaging import read_image
from jomed_app.types import ImageRecord, Result
from jomed_app.ui.session import Case
from tests.ui.conftest import Site
from tests.ui.fake_engine import png_bytes
from tests.ui.page_client import API, PageClient

RECORDS = (Case, ImageRecord, Result)
HOLDERS = (np.ndarray, bytes, bytearray, str)


def all_objects() -> Iterator[Any]:
    """Yield what may hold a case: records, and arrays, bytes and texts that any object holds.

    The collector knows containers alone, and no dictionary or tuple of plain values: those are
    gone into as well.
    """
    seen: set[int] = set()
    for each in gc.get_objects():
        if type(each) in RECORDS:
            yield each
        unknown = gc.get_referents(each)
        while unknown:
            one = unknown.pop()
            if type(one) in (dict, tuple) and not gc.is_tracked(one):
                unknown += gc.get_referents(one)
            elif type(one) in HOLDERS and _size(one) >= 900 and id(one) not in seen:
                seen.add(id(one))
                yield one


def _size(one: Any) -> int:
    return one.size if isinstance(one, np.ndarray) else len(one)


def what_is_left(data: bytes, starts: Sequence[bytes]) -> list[str]:
    """Return the types of objects that hold a case: its pixels, file, encoded picture or records.

    Args:
        data: the file.
        starts: how its arrays begin.
    """
    gc.collect()
    found = []
    for one in all_objects():
        if isinstance(one, RECORDS):
            found.append(type(one).__name__)
        elif isinstance(one, np.ndarray):
            begins = one.ravel()[: len(starts[0])] if one.dtype.kind in "uf" else one[:0]
            if any(np.array_equal(begins, np.frombuffer(each, np.uint8)) for each in starts):
                found.append(f"array {one.shape}")
        elif isinstance(one, str):
            found += ["picture"] if len(one) > 5000 and "data:image/png;base64" in one else []
        elif one is not data and len(one) > 5000 and data[:2000] in one:
            found.append("file")
    return sorted(found)


def main(folder: Path) -> None:
    """Serve, visit, walk, print."""
    prepare_process()
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    from jomed_app.server.drain import Drain
    from jomed_app.server.health import Health
    from jomed_app.server.run import page_server
    from jomed_app.ui.layout import build_ui
    from jomed_app.ui.session import CaseStore
    from jomed_app.ui.uploads import UploadStore
    from tests.ui.fake_engine import FakeEngine
    from tests.ui.serve_fake import SETTINGS

    cases, uploads = CaseStore(), UploadStore(folder)
    blocks = build_ui(FakeEngine(), SETTINGS, store=cases, uploads=uploads, examples=folder)
    listener, drain = socket.create_server(("127.0.0.1", 0)), Drain(limit_s=0)
    started = threading.Event()
    server = page_server(
        blocks, SETTINGS, Health("b", "i", lambda: True), drain, cases, uploads, started.set
    )
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    serving.start()
    started.wait(60)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    found: dict[str, list[str]] = {}
    for number, ending in enumerate(("purge", "tab")):
        data = png_bytes(60 + number)
        record = read_image(data)
        pixels = record.model_input
        starts = [pixels.tobytes()[:900], pixels[..., 0].tobytes()[:900]]
        del record, pixels
        found |= visit(url, data, ending, starts)
    drain.begin()
    serving.join(20)
    sys.stdout.write(json.dumps(found) + "\n")


def visit(url: str, data: bytes, ending: str, starts: Sequence[bytes]) -> dict[str, list[str]]:
    """Open and run a case and end it; return what the walk finds before and after."""
    here = PageClient(Site(url, Path(), Path(), {}))
    with here.http.stream("GET", f"{API}heartbeat/{here.session}") as beats:
        lines = beats.iter_lines()
        next(lines)
        here.opens(data)
        before = what_is_left(data, starts)
        if ending == "purge":
            here.does("case_purge")
    here.leave()
    del here, beats, lines
    for _ in range(5):
        if not (left := what_is_left(data, starts)):
            break
        time.sleep(0.3)
    return {f"before {ending}": before, f"after {ending}": left}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
