"""What a monitor may count, and what it never learns."""

from __future__ import annotations

import re

import pytest

from jomed_app.config import AppConfig
from jomed_app.errors import CancelledError, ImageError
from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import DecoderHealth
from jomed_app.server.drain import Drain
from jomed_app.server.gate.accounts import Accounts
from jomed_app.server.health import Health
from jomed_app.server.metrics import STATES, CountedEngine, CountedRequests, Metrics, state_of
from jomed_app.server.shell import Gate, build_shell
from jomed_app.types import Completed
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.uploads import UploadStore
from tests.feedback.made import judgement, own
from tests.server.asking import ask, page
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture
def metrics():
    return Metrics()


def value_of(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def told(metrics):
    answer = ask(page_of(metrics), path="/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.body.decode()


def page_of(metrics, gate=None):
    health = Health("b 1", "i 2", lambda: True)
    uploads = UploadStore(None, max_bytes=1, max_visitor_bytes=1, lifetime_s=1.0)
    return build_shell(AppConfig(), health, Drain(0), uploads, gate, metrics)


def read(engine):
    *_, last = engine.run(read_image(png_bytes()), retrieval="joint")
    assert isinstance(last, Completed)
    return last.result


def test_a_case_is_counted_with_its_state_and_its_seconds(metrics):
    engine = CountedEngine(FakeEngine(), metrics)
    result = read(engine)
    assert state_of(result) in STATES
    labels = {"state": state_of(result), "search": result.retrieval}
    assert value_of(metrics, "jomed_cases_total", **labels) == 1
    assert value_of(metrics, "jomed_step_seconds_count", step="total") == 1
    total = value_of(metrics, "jomed_step_seconds_sum", step="total")
    assert total == pytest.approx(result.timings_ms.total / 1000)
    engine.recompute(result, [result.candidates[0].candidate_id])
    assert value_of(metrics, "jomed_recompute_seconds_count") == 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [(CancelledError(), "cancelled"), (ImageError("no"), "declined"), (ValueError(), "fault")],
)
def test_a_case_that_ends_early_is_counted_by_its_ending(metrics, error, ending):
    class Ends(FakeEngine):
        def run(self, *arguments, **named):
            yield next(super().run(*arguments, **named))
            raise error

    with pytest.raises(type(error)):
        list(CountedEngine(Ends(), metrics).run(read_image(png_bytes())))
    assert value_of(metrics, "jomed_unanswered_total", ending=ending) == 1
    assert sum(each.value for each in samples(metrics, "jomed_unanswered_total")) == 1


def samples(metrics, name):
    families = list(metrics.registry.collect())
    return [each for family in families for each in family.samples if each.name == name]


def test_a_run_that_nobody_follows_is_a_cancelled_one(metrics):
    run = CountedEngine(FakeEngine(), metrics).run(read_image(png_bytes()))
    next(run)
    run.close()
    assert value_of(metrics, "jomed_unanswered_total", ending="cancelled") == 1


def test_a_counted_engine_is_an_engine(metrics):
    engine: ReadingEngine = CountedEngine(FakeEngine(), metrics)
    first = read(engine).candidates[0].candidate_id
    assert engine.candidate(first) == FakeEngine().candidate(first)
    assert engine.candidate_image(first).shape == FakeEngine().candidate_image(first).shape
    assert engine.info.bundle == FakeEngine().info.bundle


def test_requests_are_counted_by_method_and_status_alone(metrics):
    app = CountedRequests(page(), metrics)
    ask(app, path="/a?name=DOE^JANE", headers={"cookie": "secret"})
    ask(app, path="/b", method="BREW")
    assert value_of(metrics, "jomed_requests_total", method="GET", status="200") == 1
    assert value_of(metrics, "jomed_requests_total", method="other", status="200") == 1


def test_no_label_holds_anything_of_a_case(metrics):
    result = read(CountedEngine(FakeEngine(), metrics))
    said = told(metrics)
    known = {result.final.prediction, *(each.label for each in result.candidates)}
    known |= {each.candidate_id for each in result.candidates} | {result.question, result.report}
    assert [word for word in known if word and word in said] == []
    labels = set(re.findall(r'[{,](\w+)="', said))
    process = {"implementation", "major", "minor", "patchlevel", "version"}
    assert labels - process <= {"method", "status", "state", "search", "ending", "step", "le"}


def test_gauges_ask_whenever_they_are_asked(metrics):
    waiting = [1, 2]
    metrics.watch("line", "cases", lambda: len(waiting))
    health = DecoderHealth(2, 2, (0.5,), waiting=3, killed=4, crashed=5, in_force=())
    metrics.watch_decoders(lambda: health)
    waiting.append(3)
    assert value_of(metrics, "jomed_line") == 3
    assert value_of(metrics, "jomed_decoders_busy") == 1
    assert value_of(metrics, "jomed_decoders_waiting") == 3
    assert value_of(metrics, "jomed_decoders_killed_total") == 4
    assert value_of(metrics, "jomed_decoders_crashed_total") == 5


def test_without_the_setting_there_is_nothing_at_the_address():
    assert AppConfig().metrics is False
    assert ask(page_of(None), path="/metrics").status == 404


def test_a_monitor_passes_the_gate_as_everyone_does(metrics):
    gate = Gate(accounts=Accounts([("monitor", "long enough for a test")]))
    assert ask(page_of(metrics, gate), path="/metrics").status == 401


def test_judgements_are_counted_by_verdict_and_effect_once_they_are_asked_for(metrics):
    assert "jomed_judgements" not in told(metrics)
    metrics.watch_judgements()
    assert value_of(metrics, "jomed_own_reads_total", effect="harm") == 0
    metrics.count_judgement(judgement(verdict="disagree"))
    metrics.count_judgement(judgement(own=own(True, False), truth="malignant"))
    assert value_of(metrics, "jomed_judgements_total", verdict="disagree") == 1
    assert value_of(metrics, "jomed_judgements_total", verdict="agree") == 1
    assert value_of(metrics, "jomed_own_reads_total", effect="harm") == 1
    assert value_of(metrics, "jomed_own_reads_total", effect="help") == 0
