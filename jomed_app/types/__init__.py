"""Values that cross borders. Nothing here imports torch, gradio or pydicom."""

from __future__ import annotations

from jomed_app.types.events import (
    BoxesReady,
    CandidateRead,
    CandidatesFound,
    ChecksDone,
    Completed,
    Event,
    FinalReady,
)
from jomed_app.types.image import (
    Content,
    GrayValues,
    ImageRecord,
    Picture,
    Window,
)
from jomed_app.types.moved import (
    MOST_DOUBLINGS,
    MOST_FACTOR,
    Moved,
)
from jomed_app.types.query import (
    Check,
    InputInfo,
    Region,
    RegionSource,
    RegionWish,
)
from jomed_app.types.result import (
    BoxResult,
    CandidateResult,
    Consistency,
    ConsistencyState,
    CorpusKind,
    DroppedCandidate,
    FinalResult,
    Head,
    HeatMap,
    OperatingPoint,
    Result,
    Retrieval,
    Standing,
    Timings,
    Versions,
)
from jomed_app.types.schema import (
    Frozen,
)

__all__ = [
    "MOST_DOUBLINGS",
    "MOST_FACTOR",
    "BoxResult",
    "BoxesReady",
    "CandidateRead",
    "CandidateResult",
    "CandidatesFound",
    "Check",
    "ChecksDone",
    "Completed",
    "Consistency",
    "ConsistencyState",
    "Content",
    "CorpusKind",
    "DroppedCandidate",
    "Event",
    "FinalReady",
    "FinalResult",
    "Frozen",
    "GrayValues",
    "Head",
    "HeatMap",
    "ImageRecord",
    "InputInfo",
    "Moved",
    "OperatingPoint",
    "Picture",
    "Region",
    "RegionSource",
    "RegionWish",
    "Result",
    "Retrieval",
    "Standing",
    "Timings",
    "Versions",
    "Window",
]
