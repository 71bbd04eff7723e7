"""Start the web app as `python -m jomed_app serve` does, with its flags. The entry of a Space."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jomed_app.cli.startup import prepare_process


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 means that a flag, file, bundle or index needs mending."""
    prepare_process()
    from jomed_app.cli.main import main as run_command

    return run_command(["serve", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
