"""Serve the app itself, but load its models slowly: python -m tests.ui.serve_slowly SECONDS ...

SECONDS pass at every piece that the loading tells; the rest is what `serve` takes.
"""

from __future__ import annotations

import sys
import time

from jomed_app.cli.startup import prepare_process


def main(words: list[str]) -> int:
    """Serve until interrupted."""
    prepare_process()
    from jomed_app.cli import serving
    from jomed_app.cli.main import main as run_command

    seconds, load = float(words[0]), serving._load

    def load_slowly(*asked):
        *what, on_load = asked

        def slow(step, done, total):
            on_load(step, done, total)
            time.sleep(seconds)

        return load(*what, slow)

    serving._load = load_slowly
    return run_command(["serve", *words[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
