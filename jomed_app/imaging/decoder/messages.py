"""What goes between a process and its decoder: lists of byte blocks, and a record as such a list.

A record is pickled by protocol 5 with its arrays beside it, so that a pixel is copied once into the
pipe and once out of it, whatever fields a record has. The worker is not trusted, so reading back
makes nothing but arrays and this package's own values.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pickle  # nosec B403  # read back by an unpickler that makes listed types alone
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from jomed_app.imaging.grayscale import as_rgb
from jomed_app.imaging.limits import MAX_PIXELS
from jomed_app.types import ImageRecord

Block = bytes | memoryview
Received = TypeVar("Received", bytes, memoryview)

_MOST_BLOCKS = 64
_MOST_BYTES = 16 * MAX_PIXELS + (1 << 20)  # float32 values, RGB, and what a later field may add
_COUNT, _LENGTH = struct.Struct("!I"), struct.Struct("!Q")
_ARRAY_MAKERS = {
    (as_rgb.__module__, as_rgb.__name__),
    ("numpy", "dtype"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
}


class MessageError(Exception):
    """The other side has ended, or sends what no worker sends."""


def send(stream: BinaryIO, blocks: Sequence[Block]) -> None:
    """Write a message.

    Args:
        stream: unbuffered.
        blocks: each contiguous.
    """
    views = [memoryview(block).cast("B") for block in blocks]
    head = _COUNT.pack(len(views)) + b"".join(_LENGTH.pack(len(view)) for view in views)
    for view in (memoryview(head), *views):
        while view:
            view = view[stream.write(view) :]


def receive(stream: BinaryIO) -> list[memoryview]:
    """Read a message.

    Args:
        stream: unbuffered.

    Returns:
        Blocks of memory that can be written to.

    Raises:
        MessageError: if the stream ended, or a length is past what a record may have.
    """
    return _receive(stream, _read)


def receive_bytes(stream: BinaryIO) -> list[bytes]:
    """Read a message as bytes, without a copy of a large file beside it.

    Args:
        stream: buffered.

    Raises:
        MessageError: as `receive`.
    """
    return _receive(stream, _read_bytes)


def pack_words(**words: Any) -> bytes:
    """Return plain values as one block."""
    return json.dumps(words).encode()


def unpack_words(block: Block) -> dict[str, Any]:
    """Return the plain values of a block.

    Raises:
        MessageError: if it holds none.
    """
    try:
        words = json.loads(bytes(block))
    except ValueError as error:
        raise MessageError("a message must start with words, found other bytes") from error
    if not isinstance(words, dict):
        raise MessageError("a message must start with a table of words, found another value")
    return words


def pack_record(record: ImageRecord) -> list[Block]:
    """Return a record as blocks: its plain values, then its arrays as they lie in memory."""
    arrays: list[pickle.PickleBuffer] = []
    plain = io.BytesIO()
    _Arrays(plain, protocol=5, buffer_callback=arrays.append).dump(record)
    return [plain.getvalue(), *(array.raw() for array in arrays)]


def unpack_record(blocks: Sequence[memoryview]) -> ImageRecord:
    """Return the record of `pack_record`; its arrays are views of the blocks and read-only.

    Raises:
        MessageError: if the blocks hold anything else.
    """
    arrays = [block.toreadonly() for block in blocks[1:]]
    try:
        record = _Values(io.BytesIO(bytes(blocks[0])), buffers=arrays).load()
    except Exception as error:
        raise MessageError("a worker must answer with a record, found other bytes") from error
    if not isinstance(record, ImageRecord):
        raise MessageError("a worker must answer with a record, found another value")
    return record


def pack_pictures(pictures: Sequence[NDArray[np.uint8]]) -> list[Block]:
    """Return pictures as blocks: their shapes, then their samples."""
    shapes = [picture.shape for picture in pictures]
    head = pack_words(kind="frames", shapes=shapes)
    return [head, *(np.ascontiguousarray(picture).data for picture in pictures)]


def unpack_pictures(blocks: Sequence[memoryview]) -> list[NDArray[np.uint8]]:
    """Return the pictures of `pack_pictures`, (rows, columns) or (rows, columns, 3).

    Raises:
        MessageError: if the blocks hold anything else.
    """
    head, *samples = blocks
    try:
        shapes = [tuple(map(int, shape)) for shape in unpack_words(head)["shapes"]]
        fits = all(len(shape) == 2 or (len(shape) == 3 and shape[2] == 3) for shape in shapes)
        if not fits:
            raise ValueError
        return [
            np.frombuffer(block, np.uint8).reshape(shape)
            for block, shape in zip(samples, shapes, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise MessageError("a worker must answer with pictures, found other bytes") from error


class _Arrays(pickle.Pickler):
    """Sends the channels of a gray image once."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim == 3 and value.strides[2] == 0:
            return as_rgb, (value[:, :, 0],)
        return NotImplemented


class _Values(pickle.Unpickler):
    """Makes arrays, dataclasses, models and terms of this package, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ARRAY_MAKERS:
            return super().find_class(module, name)
        if module.startswith("jomed_app."):
            found = super().find_class(module, name)
            is_value = isinstance(found, type) and (
                dataclasses.is_dataclass(found) or issubclass(found, (BaseModel, Enum))
            )
            if is_value:
                return found
        raise MessageError(f"a record is made of plain values and arrays, found {module}.{name}")


def _receive(stream: BinaryIO, read: Callable[[BinaryIO, int], Received]) -> list[Received]:
    """Read a message, block by block."""
    (count,) = _COUNT.unpack(read(stream, _COUNT.size))
    if count > _MOST_BLOCKS:
        raise MessageError(f"a message must have at most {_MOST_BLOCKS} blocks, found {count}")
    lengths = [_LENGTH.unpack(read(stream, _LENGTH.size))[0] for _ in range(count)]
    if sum(lengths) > _MOST_BYTES:
        raise MessageError(f"a message must have at most {_MOST_BYTES} bytes, found more")
    return [read(stream, length) for length in lengths]


def _read_bytes(stream: BinaryIO, length: int) -> bytes:
    """Return exactly so many bytes."""
    data = stream.read(length)
    if len(data) != length:
        raise MessageError("the other side has ended")
    return data


def _read(stream: BinaryIO, length: int) -> memoryview:
    """Return exactly so many bytes."""
    block = np.empty(length, dtype=np.uint8).data  # unlike a bytearray, not written twice
    rest = block
    while rest:
        count = stream.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise MessageError("the other side has ended")
        rest = rest[count:]
    return block
