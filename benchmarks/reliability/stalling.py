"""The app, but its decoders never come back from a file that asks for it: a hang on demand.

Started by `benchmarks.reliability.stalls`, with the flags of app.py.
No file is known any more that hangs a decoder, so this stands for the next one.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import DecoderPool, door
from jomed_app.types import ImageRecord

STALL = b"never come back"  # a file that starts so
READER = f"{__name__ if __name__ != '__main__' else 'benchmarks.reliability.stalling'}.read"


def read(source: Path | bytes, *, frame: int = 0) -> ImageRecord:
    """Decode a file as `read_image` does; loop for ever on one that asks for it."""
    while bytes(source).startswith(STALL):
        pass
    return read_image(source, frame=frame)


def main() -> int:
    """Serve as app.py does."""
    import app

    vars(door)["DecoderPool"] = functools.partial(DecoderPool, reader=READER)
    return app.main()


if __name__ == "__main__":
    sys.exit(main())
