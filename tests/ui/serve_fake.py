"""Serve the page with the fake engine in a process of its own: python -m tests.ui.serve_fake.

Prints one JSON line with the address and facts about the page, then serves until its standard
input closes. A process of its own keeps the sockets and event loops that gradio leaves open out of
the tests, where every warning is an error.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jomed_app.cli.startup import prepare_process
from jomed_app.config import AppConfig
from jomed_app.feedback.store import FeedbackStore
from jomed_app.imaging import read_image
from jomed_app.server.drain import Drain
from jomed_app.server.health import Health
from jomed_app.server.pages.failures import FailureReading
from jomed_app.server.pages.routes import Pages
from jomed_app.server.run import page_server
from jomed_app.server.shell import Gate, gate_of_environment
from jomed_app.ui.line import Line
from jomed_app.ui.session import Case, CaseStore
from jomed_app.ui.uploads import UploadStore
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes
from tests.ui.fake_shelf import shipped_shelf

SLOW_COLUMNS = 400
FAINT_COLUMNS = 440
TITLES = ("Case 0", "Case 1", "<b>${1 + 1}</b> {{value}} `")  # the last as hostile as it gets
# None is the default; all visitors of the tests have one address.
SETTINGS = AppConfig(max_file_mb=3, session_minutes=7, max_queue=11, requests_per_minute=0)


def write_examples(folder: Path, opens: bool = False) -> None:
    """Write three generated examples; the engine takes its time over the last one.

    Args:
        folder: made if missing.
        opens: whether the page opens with the first, said to be drawn as benign.
    """
    folder.mkdir(parents=True)
    sizes = (480, 480, SLOW_COLUMNS)
    for number, columns in enumerate(sizes):
        (folder / f"{number}.png").write_bytes(png_bytes(number, columns=columns))
    entries: list[dict[str, Any]] = [
        {"file": f"{number}.png", "title": title} for number, title in enumerate(TITLES)
    ]
    if opens:
        entries[0] |= {"known": "benign", "opens": True}
    (folder / "examples.json").write_text(json.dumps(entries))


def facts(blocks: Any, store: CaseStore) -> dict[str, Any]:
    """Return what can only be seen on the page as an object."""
    functions = list(blocks.fns.values())
    (unload,) = [
        each.fn for each in functions if any(target[1] == "unload" for target in each.targets)
    ]
    (state,) = [block for block in blocks.blocks.values() if type(block).__name__ == "State"]
    for session in ("closed", "run out", "open"):
        store.open(session, Case(image=read_image(png_bytes())))
    unload(SimpleNamespace(session_hash="closed"))
    state.delete_callback("run out")
    state.delete_callback("")
    left = [session for session in ("closed", "run out", "open") if store.get(session)]
    store.purge("open")
    store.choose_search("closed", "standard")
    unload(SimpleNamespace(session_hash="closed"))
    return {
        "left": left,
        "search_after_unload": store.search("closed"),
        "state_seconds": state.time_to_live,
        "in_line": sum(each.concurrency_limit is None for each in functions if each.fn),
        "max_size": blocks._queue.max_size,
        "public": [each.api_name for each in functions if each.api_visibility != "private"],
    }


def routes(app: Any, prefix: str = "") -> Iterator[str]:
    """Yield every path that an app answers, those of apps mounted in it too."""
    for route in app.routes:
        path = prefix + (getattr(route, "path", None) or "")
        inner = [getattr(route, name, None) for name in ("app", "original_router")]
        inside = [each for each in inner if hasattr(each, "routes")]
        for each in inside:
            yield from routes(each, path)
        if not inside:
            yield path


def main(
    folder: Path,
    drain_s: float = 0,
    gate: Gate | None = None,
    opens: bool = False,
    feedback: bool = False,
) -> None:
    """Serve with uploads and examples below a folder; running cases may end within some seconds."""
    prepare_process()
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    from jomed_app.ui.layout import build_ui

    write_examples(folder / "examples", opens)
    store, uploads = CaseStore(), UploadStore(folder / "uploads")
    info = FakeInfo(standard=FakeInfo(measured_on="30 fake images by similarity alone"))
    engine = FakeEngine(info=info, slow_columns=SLOW_COLUMNS, faint_columns=FAINT_COLUMNS)
    line = Line(SETTINGS.max_queue)
    blocks = build_ui(
        engine,
        SETTINGS,
        store=store,
        uploads=uploads,
        line=line,
        feedback=FeedbackStore(folder / "feedback.sqlite", b"k" * 32) if feedback else None,
        examples=folder / "examples",
    )
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    drain = Drain(drain_s, on_begin=line.close)
    health = Health(info.bundle, info.index, is_ready=lambda: not drain.is_draining)

    def on_start() -> None:
        found = {"url": url, "routes": sorted(set(routes(server.config.app)))}
        sys.stdout.write(json.dumps(found | facts(blocks, store)) + "\n")
        sys.stdout.flush()

    def end_with_the_input() -> None:
        sys.stdin.read()
        drain.begin()

    threading.Thread(target=end_with_the_input, daemon=True).start()
    pages = Pages(shipped_shelf(info, SETTINGS), FailureReading(engine, line, count=5))
    server = page_server(
        blocks, SETTINGS, health, drain, store, uploads, on_start, gate, pages=pages
    )
    server.run(sockets=[listener])


if __name__ == "__main__":
    words = [each for each in sys.argv[2:] if each not in ("opens", "feedback")]
    main(
        Path(sys.argv[1]), float((words or ["0"])[0]), gate_of_environment(), "opens" in sys.argv,
        "feedback" in sys.argv,
    )  # fmt: skip
