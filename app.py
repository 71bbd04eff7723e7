"""Start the web app: parse flags, load the engine, serve the page. Also the entry of a Space."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX
from jomed_app.cli.startup import prepare_process
from jomed_app.errors import JomedError
from jomed_app.incidents import start_log


def parse_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags; host and port default to what a Space sets, else to this machine only."""
    parser = argparse.ArgumentParser(
        description="Research demo, not a medical device. Similar cases, one diagnosis beside each."
    )
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="bundle folder")
    parser.add_argument("--index", type=Path, default=DEFAULT_INDEX, help="index folder")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    )
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16, int8 or nf4")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 means that a flag, bundle or index needs mending."""
    flags = parse_flags(arguments)
    prepare_process()
    start_log()
    from jomed_app.inference.load import load_engine
    from jomed_app.ui.layout import serve

    try:
        engine = load_engine(flags.bundle, flags.index, precision=flags.precision)
        # Encode the candidates while the page loads; a case that comes first encodes its own.
        threading.Thread(target=engine.warm, daemon=True).start()
        serve(engine, flags.host, flags.port)
    except JomedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
