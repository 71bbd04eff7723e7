"""The process that decodes: reads a file from its standard input, answers with a record.

Started as `python -m jomed_app.imaging.decoder.worker LIMITS`; see `process.WorkerProcess`.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from jomed_app.errors import JomedError, fault_places
from jomed_app.imaging.decoder import confine
from jomed_app.imaging.decoder.frames import FrameView, view_frames
from jomed_app.imaging.decoder.messages import (
    Block,
    MessageError,
    pack_pictures,
    pack_record,
    pack_words,
    receive_bytes,
    send,
    unpack_words,
)
from jomed_app.types import ImageRecord

LAZY_MODULES = (
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.TiffImagePlugin",
    "pydicom.pixels.decoders",
    "onnxruntime",
)
ORPHAN_GRACE_S = 2.0  # the parent ends a late decode; without a parent the worker ends itself


def main() -> None:
    """Answer until the pipe closes."""
    requests, replies, nowhere = _private_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    limits = unpack_words(sys.argv[1].encode())
    in_force = confine.leave_network()
    read_image = _import_reader(str(limits["reader"]))
    in_force += confine.limit_resources(int(limits["memory_mb"]) << 20)
    in_force += confine.refuse_calls()
    try:
        send(replies, [pack_words(in_force=in_force)])
        while True:
            words, data = receive_bytes(requests)
            seconds = float(limits["clock_s"]) + ORPHAN_GRACE_S
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            answer = _answer(read_image, data, unpack_words(words))
            faulthandler.cancel_dump_traceback_later()
            del data
            send(replies, answer)
            del answer
    except (MessageError, BrokenPipeError):
        return


def _private_pipes() -> tuple[BinaryIO, BinaryIO, BinaryIO]:
    """Keep the pipes for this module alone: a native library may print to where they were."""
    requests = os.fdopen(os.dup(0), "rb")  # buffered: it reads straight into the bytes it returns
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = open(os.devnull, "r+b", buffering=0)  # noqa: SIM115
    for number in (0, 1, 2):
        os.dup2(nowhere.fileno(), number)
    return requests, replies, nowhere


def _import_reader(name: str) -> Callable[..., ImageRecord]:
    """Import what decodes, and what its first file would wait for."""
    for needed in LAZY_MODULES:
        importlib.import_module(needed)
    module, _, function = name.rpartition(".")
    reader: Callable[..., ImageRecord] = getattr(importlib.import_module(module), function)
    return reader


def _answer(
    read_image: Callable[..., ImageRecord], data: bytes, asked: dict[str, Any]
) -> list[Block]:
    """Return the reply to one file: a record, or several frames to look at."""
    try:
        if "frames" in asked:
            view = FrameView(**asked["view"])
            return pack_pictures(view_frames(read_image, data, asked["frames"], view))
        frame = asked["frame"]
        return [pack_words(kind="record"), *pack_record(read_image(data, frame=frame))]
    except JomedError as error:
        return [pack_words(kind="error", type=type(error).__name__, sentence=str(error))]
    except MemoryError:
        raise  # ends the worker, which may have little left to answer with
    except Exception as error:
        return [pack_words(kind="fault", places=fault_places(error))]


if __name__ == "__main__":
    main()
