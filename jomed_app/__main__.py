"""`python -m jomed_app`."""

from __future__ import annotations

from jomed_app.cli.startup import prepare_process


def run() -> int:
    """Prepare the process, then run the command line; return its exit code."""
    prepare_process()
    from jomed_app.cli.main import main

    return main()


if __name__ == "__main__":
    raise SystemExit(run())
