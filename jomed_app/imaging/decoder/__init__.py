"""Decoder: files that are not trusted are decoded in worker processes, which can be ended.

`read_untrusted` is the one door for a file that a user brings; `imaging.read_image`, which a worker
runs, stays for trusted bulk (building an index, training). Both are an `ImageReader`.
"""

from __future__ import annotations

from jomed_app.imaging.decoder.door import ImageReader, decoder_pool, read_untrusted
from jomed_app.imaging.decoder.pool import DecoderHealth, DecoderPool
from jomed_app.imaging.decoder.process import DecodeLimits

__all__ = [
    "DecodeLimits",
    "DecoderHealth",
    "DecoderPool",
    "ImageReader",
    "decoder_pool",
    "read_untrusted",
]
