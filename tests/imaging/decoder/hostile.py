"""A reader that does what hostile files do to decoders; the file's first word says what."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from jomed_app.imaging import read_image
from jomed_app.types import ImageRecord
from tests.imaging.datasets import dicom_bytes, gradient

HOSTILE = "tests.imaging.decoder.hostile.read_hostile"
PLANTED = "DOE^JOHN"


def read_hostile(source: Path | bytes, *, frame: int = 0) -> ImageRecord:
    """Do what the file asks for, then decode a small image."""
    word, _, rest = bytes(source).partition(b" ")
    match word:
        case b"hang":
            while True:
                pass
        case b"hold":  # in native code that never lets another thread run
            re.match(r"(a+)+$", "a" * 60 + "b")
        case b"work":
            while time.process_time() < float(rest):
                pass
        case b"sleep":
            time.sleep(float(rest))
        case b"until":
            while not os.path.exists(rest):
                time.sleep(0.01)
        case b"memory":
            return bytearray(int(rest) << 20)
        case b"crash":
            ctypes.string_at(0)
        case b"exit":
            os._exit(3)
        case b"fault":
            raise RuntimeError(PLANTED)
        case b"socket":
            socket.create_connection(("127.0.0.1", int(rest)))
        case b"program":
            subprocess.run([sys.executable, "-c", "pass"], check=True)
        case b"write":
            Path(rest.decode()).write_text("x")
        case b"print":
            os.write(1, b"noise" * 100)
            sys.stdout.write("noise")
        case b"lie":
            return os.system
    return read_image(dicom_bytes(gradient()), frame=frame)
