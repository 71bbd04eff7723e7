"""The one door for files that are not trusted: the pool of this process."""

from __future__ import annotations

import atexit
import threading
from pathlib import Path
from typing import Protocol

from jomed_app.config import AppConfig
from jomed_app.imaging.decoder.pool import DecoderPool
from jomed_app.imaging.decoder.process import DecodeLimits
from jomed_app.types import ImageRecord, RegionWish

_lock = threading.Lock()
_pools: list[DecoderPool] = []  # one at most


class ImageReader(Protocol):
    """Decodes one frame of a file: `read_image` here, `read_untrusted` in a worker process."""

    def __call__(
        self, source: Path | bytes, *, frame: int = 0, region: RegionWish | None = "found"
    ) -> ImageRecord:
        """Return the record, or raise what `read_image` raises."""


def decoder_pool(settings: AppConfig | None = None) -> DecoderPool:
    """Return the pool of this process, made at the first call and closed when the process ends.

    Args:
        settings: limits and number of workers; a pool with others is closed and replaced. None
            takes the pool that is there, or the defaults.
    """
    with _lock:
        chosen = settings or AppConfig()
        limits = DecodeLimits(chosen.decode_seconds, chosen.decode_memory_mb)
        wanted = (chosen.decode_workers, limits)
        fits = _pools and (settings is None or (_pools[0].workers, _pools[0].limits) == wanted)
        if not fits:
            _close()
            _pools.append(DecoderPool(*wanted))
            atexit.unregister(_close)
            atexit.register(_close)
        return _pools[0]


def read_untrusted(
    source: Path | bytes,
    *,
    frame: int = 0,
    region: RegionWish | None = "found",
    sender: str = "",
) -> ImageRecord:
    """Decode one frame of a file that a user brought, in a worker of this process's pool.

    Args:
        source: a path, or the bytes of the file; at most 64 MiB.
        frame: which frame or page, from 0.
        region: what of the picture is read; as `imaging.read_image`.
        sender: who brought the file: files of one do not hold up those of another.

    Raises:
        ImageError, DicomError: as `imaging.read_image`.
        DecodingEndedError: if the file took more time or memory than one may, or ended its decoder.
        DecoderFaultError: a fault of ours.
    """
    return decoder_pool().read_image(source, frame=frame, region=region, sender=sender)


def _close() -> None:
    while _pools:
        _pools.pop().close()
