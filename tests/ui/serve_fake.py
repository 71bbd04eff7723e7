"""Serve the page with the fake engine in a process of its own: python -m tests.ui.serve_fake.

Prints one JSON line with the address and facts about the page, then serves until its standard
input closes. A process of its own keeps the sockets and event loops that gradio leaves open out of
the tests, where every warning is an error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jomed_app.cli.startup import prepare_process
from jomed_app.config import AppConfig
from jomed_app.imaging import read_image
from jomed_app.ui.session import Case, CaseStore
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes

SLOW_COLUMNS = 400
TITLES = ("Case 0", "Case 1", "<b>${1 + 1}</b> {{value}} `")  # the last as hostile as it gets
SETTINGS = AppConfig(max_file_mb=3, session_minutes=7, max_queue=11)  # none is the default


def write_examples(folder: Path) -> None:
    """Write three generated examples; the engine takes its time over the last one."""
    folder.mkdir(parents=True)
    sizes = (480, 480, SLOW_COLUMNS)
    for number, columns in enumerate(sizes):
        (folder / f"{number}.png").write_bytes(png_bytes(number, columns=columns))
    entries = [{"file": f"{number}.png", "title": title} for number, title in enumerate(TITLES)]
    (folder / "examples.json").write_text(json.dumps(entries))


def facts(blocks: Any, store: CaseStore) -> dict[str, Any]:
    """Return what can only be seen on the page as an object."""
    functions = list(blocks.fns.values())
    heavy = [each for each in functions if each.concurrency_id == "infer"]
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
        "heavy_limits": [each.concurrency_limit for each in heavy],
        "max_size": blocks._queue.max_size,
        "public": [each.api_name for each in functions if each.api_visibility != "private"],
    }


def main(folder: Path) -> None:
    """Serve with uploads and examples below a folder."""
    prepare_process()
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    from jomed_app.ui.layout import build_ui, launch_settings

    write_examples(folder / "examples")
    store = CaseStore()
    info = FakeInfo(standard=FakeInfo(measured_on="30 fake images by similarity alone"))
    engine = FakeEngine(info=info, slow_columns=SLOW_COLUMNS)
    blocks = build_ui(engine, SETTINGS, store=store, examples=folder / "examples")
    _, url, _ = blocks.launch(
        server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, **launch_settings(SETTINGS)
    )
    sys.stdout.write(json.dumps({"url": url, **facts(blocks, store)}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    blocks.close(verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
