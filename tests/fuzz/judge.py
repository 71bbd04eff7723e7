"""What is wrong with how one file was taken: a hang, an untyped error, a leak, too much memory."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import warnings

from jomed_app.errors import JomedError
from jomed_app.imaging import read_image
from tests.fuzz.corpus import PLANTED

HANG_S = 5.0
MOST_BYTES = 1 << 30
COUNTS = ("inputs", "answered", "refused", "ended", "hangs", "untyped", "leaks", "over_memory")


@dataclasses.dataclass(slots=True)
class Verdicts:
    """Counts over many files.

    Attributes:
        inputs, answered, refused: files tried, decoded, and refused by an error of ours.
        ended: of those refused, what would have ended a process that decodes by itself.
        hangs: over `HANG_S` of processor time, so that a busy machine counts for nothing.
        untyped: another exception. leaks: a planted identifier in a record or an error.
        over_memory: files after which the process had held more than `MOST_BYTES`.
        slowest_s, peak_bytes: the most that any took, and that the process ever held.
        faults: the first few, in words: which file, and what.
        spent_s: processor time of the process so far.
    """

    inputs: int = 0
    answered: int = 0
    refused: int = 0
    ended: int = 0
    hangs: int = 0
    untyped: int = 0
    leaks: int = 0
    over_memory: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)
    spent_s: float = 0.0

    def add(self, other: Verdicts) -> None:
        """Add those of another process."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.spent_s += other.spent_s
        self.faults = (self.faults + other.faults)[:50]

    @property
    def num_faults(self) -> int:
        """All that ought to be 0."""
        return self.hangs + self.untyped + self.leaks + self.over_memory

    def judge(self, name: str, data: bytes) -> None:
        """Decode a file and count what came of it."""
        told, before = "", self.peak_bytes
        began = self.spent_s or time.process_time()
        self.inputs += 1
        try:
            with warnings.catch_warnings(record=True):
                warnings.simplefilter("always")
                record = read_image(data)
            told = json.dumps(
                [
                    record.info.model_dump(mode="json"),
                    record.metadata,
                    [dataclasses.astuple(window) for window in record.windows],
                ]
            )
            del record
            self.answered += 1
        except JomedError as error:
            told = str(error) + repr(error.__cause__) + repr(error.__context__)
            self.refused += 1
        except Exception as error:
            self.untyped += 1
            self.faults.append(f"{name}: {type(error).__name__}")
        self.spent_s = time.process_time()  # once a file: the call itself is slow on some machines
        spent = self.spent_s - began
        self.slowest_s = max(self.slowest_s, spent)
        if spent > HANG_S:
            self.hangs += 1
            self.faults.append(f"{name}: {spent:.1f} s")
        if PLANTED in told.lower():
            self.leaks += 1
            self.faults.append(f"{name}: a planted identifier was told")
        self.peak_bytes = max(before, peak_memory())
        if self.peak_bytes > MOST_BYTES >= before:
            self.over_memory += 1
            self.faults.append(f"{name}: {self.peak_bytes >> 20} MiB")


def peak_memory() -> int:
    """Most bytes that this process ever held; 0 where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
