"""What a monitor may count: cases, times, the line, the decoders. Off unless the operator asks.

In the text format of Prometheus, at /metrics. Counted is what the page shows of a case's state,
never what it says of a patient: no label holds a name, an id, a diagnosis or an address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jomed_app.data.records import CaseRecord
from jomed_app.errors import CancelledError, JomedError
from jomed_app.feedback.judgement import VERDICTS, Judgement
from jomed_app.imaging.decoder import DecoderHealth
from jomed_app.inference.conclusion.standing import standing_of
from jomed_app.types import Completed, Event, ImageRecord, Result, Retrieval, Standing
from jomed_app.ui.protocol import ReadingEngine

PATH = "/metrics"
SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 5.0, 10.0, 30.0)  # ours: bounds of the buckets
STEPS = ("decode", "retrieve", "read", "total")
REFUSED = "refused"  # a state beside those of `Standing`: a check refused the image
STATES = (*(each.value for each in Standing), REFUSED)
ENDINGS = ("cancelled", "declined", "fault")
EFFECTS = ("harm", "help", "none")


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory and processor's time, on Linux
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "jomed_requests", "Answered requests", ["method", "status"], registry=self.registry
        )
        self.cases = Counter(
            "jomed_cases", "Cases that were answered", ["state", "search"], registry=self.registry
        )
        self.unanswered = Counter(
            "jomed_unanswered", "Cases that ended early", ["ending"], registry=self.registry
        )
        self.seconds = Histogram(
            "jomed_step_seconds", "Of an answered case", ["step"], registry=self.registry,
            buckets=SECONDS,
        )  # fmt: skip
        self.recompute_seconds = Histogram(
            "jomed_recompute_seconds", "A case without some candidates", registry=self.registry,
            buckets=SECONDS,
        )  # fmt: skip
        for state in STATES:  # a rate needs the zero before the first case
            for search in ("joint", "standard"):
                self.cases.labels(state, search)
        for ending in ENDINGS:
            self.unanswered.labels(ending)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a gauge that asks for its value whenever a monitor asks for it.

        Args:
            name: without the prefix.
            about: one line.
            value: must be cheap.
        """
        Gauge(f"jomed_{name}", about, registry=self.registry).set_function(value)

    def watch_decoders(self, health: Callable[[], DecoderHealth]) -> None:
        """Add what the decoders tell of themselves; `health` must be cheap."""
        self.registry.register(_Decoders(health))

    def count(self, result: Result) -> None:
        """Count an answered case."""
        self.cases.labels(state_of(result), result.retrieval).inc()
        for step in STEPS:
            self.seconds.labels(step).observe(getattr(result.timings_ms, step) / 1000.0)

    def watch_judgements(self) -> None:
        """Add counters of what readers say of answers, each reading by its first word."""
        self.judgements = Counter(
            "jomed_judgements", "Judged answers", ["verdict"], registry=self.registry
        )
        self.effects = Counter(
            "jomed_own_reads", "Own reads of known cases, by what the answer did to them",
            ["effect"], registry=self.registry,
        )  # fmt: skip
        for verdict in VERDICTS:
            self.judgements.labels(verdict)
        for effect in EFFECTS:
            self.effects.labels(effect)

    def count_judgement(self, judgement: Judgement) -> None:
        """Count a reading that is judged for the first time."""
        self.judgements.labels(judgement.verdict).inc()
        if judgement.effect is not None:
            self.effects.labels(judgement.effect).inc()

    def routes(self) -> list[Route]:
        """Return the route that a monitor asks."""

        async def metrics(request: Request) -> Response:
            encode, kind = choose_encoder(request.headers.get("accept", ""))
            return Response(encode(self.registry), headers={"content-type": kind})

        return [Route(PATH, metrics)]


def state_of(result: Result) -> str:
    """Return the state in which a result shows itself, one of `STATES`."""
    if not result.candidates and result.final.prediction is None:
        return REFUSED
    return standing_of(result.consistency, result.final, result.candidates).value


class CountedRequests:
    """Counts what is answered, by method and status.

    Args:
        app: what answers.
        metrics: where it is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST"} else "other"
                self.metrics.requests.labels(method, str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counted if scope["type"] == "http" else send)


@dataclass(frozen=True)
class CountedEngine:
    """An engine whose cases are counted; satisfies `ReadingEngine` as the one within does.

    Attributes:
        engine: that reads.
        metrics: where it is counted.
    """

    engine: ReadingEngine
    metrics: Metrics

    def __getattr__(self, name: str) -> object:
        """Whatever else a page asks the engine for."""
        return getattr(self.engine, name)

    @property
    def info(self) -> object:
        """Of the engine within."""
        return self.engine.info

    def run(
        self,
        image: ImageRecord,
        *,
        question: str | None = None,
        k: int | None = None,
        retrieval: Retrieval | None = None,
        anyway: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yield the events of the engine within; see `Engine.run`."""
        ending: str | None = "cancelled"  # nobody asked for the next event
        steps = self.engine.run(
            image, question=question, k=k, retrieval=retrieval, anyway=anyway, cancel=cancel
        )
        try:
            for event in steps:
                if isinstance(event, Completed):
                    self.metrics.count(event.result)
                    ending = None
                yield event
        except JomedError as error:
            ending = ending if isinstance(error, CancelledError) else "declined"
            raise
        except Exception:
            ending = "fault"
            raise
        finally:
            if ending is not None:
                self.metrics.unanswered.labels(ending).inc()

    def recompute(self, result: Result, removed: Collection[str] = (), **moved: Any) -> Result:
        """Return the result with other weights."""
        began = time.perf_counter()
        answer = self.engine.recompute(result, removed, **moved)
        self.metrics.recompute_seconds.observe(time.perf_counter() - began)
        return answer

    def candidate(self, candidate_id: str, /) -> CaseRecord:
        """Return the record of an indexed case."""
        return self.engine.candidate(candidate_id)

    def candidate_image(self, candidate_id: str, /) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 RGB of an indexed case."""
        return self.engine.candidate_image(candidate_id)


class _Decoders(Collector):
    """What the decoders tell, read when a monitor asks."""

    def __init__(self, health: Callable[[], DecoderHealth]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        now = self._health()
        for name, about, value in (
            ("alive", "Decoder processes that run", now.alive),
            ("busy", "Files that are being decoded", len(now.busy_s)),
            ("waiting", "Files that wait for a decoder", now.waiting),
        ):
            yield GaugeMetricFamily(f"jomed_decoders_{name}", about, value=value)
        for name, about, value in (
            ("killed", "Decodes that were ended for their time", now.killed),
            ("crashed", "Decoders that ended by themselves", now.crashed),
        ):
            yield CounterMetricFamily(f"jomed_decoders_{name}", about, value=value)
