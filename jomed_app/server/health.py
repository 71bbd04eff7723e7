"""What a probe may ask: does the server live, can it take a case, how far is it, which version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jomed_app import __version__
from jomed_app.imaging.decoder import DecoderHealth
from jomed_app.types import Versions

ENDED_WITHIN_S = 65  # ours: a decoder that is being started has a minute beside its file's limit


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes answer from; each function is called per probe and must be cheap.

    Attributes:
        bundle: name and version.
        index: name and version.
        is_ready: whether a case would be taken, and read at full speed.
        faults: what is wrong by now, one phrase each without anything of a case; empty: nothing.
        loading: how far the models are loaded, plain values; None once they are.
    """

    bundle: str
    index: str
    is_ready: Callable[[], bool]
    faults: Callable[[], Sequence[str]] = tuple
    loading: Callable[[], Mapping[str, object]] | None = None

    def routes(self) -> list[Route]:
        """Return the routes, which answer anyone: they tell of the program, never of a case."""

        async def healthz(request: Request) -> Response:  # the event loop answers: it lives
            faults = list(self.faults())
            return _answer(not faults, {"status": "fault" if faults else "ok", "faults": faults})

        async def readyz(request: Request) -> Response:
            is_ready = self.is_ready()
            return _answer(is_ready, {"status": "ready" if is_ready else "not ready"})

        async def version(request: Request) -> Response:
            versions = {"app": __version__, "bundle": self.bundle, "index": self.index}
            schema = Versions.model_fields["schema_"].default
            return _answer(True, {**versions, "schema": schema})

        async def starting(request: Request) -> Response:
            return _answer(True, self.loading() if self.loading else {"is_over": True})

        return [
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/starting", starting),
            Route("/version", version),
        ]


def decoder_faults(decoders: DecoderHealth, limit_s: float) -> list[str]:
    """Return what is wrong with the decoders.

    Args:
        decoders: how they are.
        limit_s: how long one file may take, on the clock.
    """
    faults = []
    if decoders.wanted and not decoders.alive:
        faults.append("no decoder runs")
    if any(seconds > limit_s + ENDED_WITHIN_S for seconds in decoders.busy_s):
        faults.append("a decoder outlived its limit")
    return faults


def _answer(is_good: bool, body: Mapping[str, object]) -> JSONResponse:
    """Return 200 or 503 with a body."""
    return JSONResponse(dict(body), status_code=200 if is_good else 503)
