"""Labels that only the index knows: the task grows, the engine answers with them, figures go."""

from __future__ import annotations

import shutil

import pytest

from jomed_app.cli import main as cli
from jomed_app.data.tasks import load_task
from jomed_app.imaging import read_image
from jomed_app.inference.calibration.probabilities import Calibration, Scaling
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.index_labels import widen_task, without_figures
from jomed_app.inference.load import load_engine
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.panels.diagnosis.sum_table import SumTable
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png, write_tiny_index

NEW = "phyllodes"


@pytest.fixture(scope="module")
def engine(tiny_bundle, tiny_corpus, tmp_path_factory):
    """Over an index in which every third case has a label that the bundle does not know."""
    folder, records = tiny_corpus
    named = [
        record.model_copy(update={"label": NEW}) if place % 3 == 0 else record
        for place, record in enumerate(records)
    ]
    out = tmp_path_factory.mktemp("new_label") / "index"
    return load_engine(
        tiny_bundle, write_tiny_index(out, tiny_bundle, folder, named), precision="fp32"
    )


@pytest.fixture(scope="module")
def result(engine):
    return list(engine.run(read_image(simulated_png(FIRST_FRESH_SEED))))[-1].result


def unscaled(engine, final):
    """Probabilities before the calibration's temperature."""
    temperature = engine.profile.calibration.scaling.temperature
    raw = {name: value**temperature for name, value in final.probabilities.items()}
    return {name: value / sum(raw.values()) for name, value in raw.items()}


def test_a_task_grows_by_the_labels_of_an_index_that_shares_some():
    task = load_task("breast")
    wider = widen_task(task, [NEW, "benign", "", "adenosis"])
    assert wider.labels == (*task.labels, "adenosis", NEW)
    assert wider.index_only == ("adenosis", NEW)
    assert widen_task(task, task.labels) is task
    assert widen_task(task, ["moderate", "severe"]) is task, "another task's index"
    assert widen_task(load_task("slake"), ["CT"]).labels == ()


def test_what_was_measured_without_a_label_is_not_said():
    scaling = Scaling(temperature=0.5, bias=(0.1, -0.1, 0.0))
    known = Profile(
        settings=Settings(vote_share=0.2),
        calibration=Calibration(scaling=scaling),
        measured_on="40 images",
    )
    wider = without_figures(known, 2)
    assert wider.settings == known.settings
    assert wider.calibration.scaling == Scaling(temperature=0.5, bias=(0.1, -0.1, 0.0, 0.0, 0.0))
    assert wider.measured_on == ""
    assert wider.calibration.error_rates == {}
    assert wider.calibration.conformal is None


def test_the_vote_gives_a_new_label_its_probability(engine, result):
    final = result.final
    assert final.index_only == (NEW,)
    assert tuple(final.probabilities) == engine.task.labels
    assert sum(final.probabilities.values()) == pytest.approx(1.0)
    assert engine.info.measured_on == ""
    assert 0 < final.neighbor_vote[NEW] < 1
    assert unscaled(engine, final)[NEW] == pytest.approx(final.neighbor_vote[NEW], rel=1e-6)
    assert set(final.image_head) == set(final.probabilities) - {NEW}, "it knows what it was taught"


def test_without_a_candidate_the_vote_stays(engine, result):
    fewer = engine.recompute(result, {result.candidates[0].candidate_id})
    vote = result.final.neighbor_vote[NEW]
    assert unscaled(engine, fewer.final)[NEW] == pytest.approx(vote, rel=1e-6)


def test_the_screen_says_so_and_its_sum_adds_up(result):
    shown = Final.of(result.final, tuple(result.final.probabilities))
    assert shown.index_only == text.INDEX_ONLY.format(names=NEW)
    for label in result.final.probabilities:
        final = result.final.model_copy(update={"prediction": label})
        table = SumTable.of(result.candidates, final)
        said = {part.says for part in table.parts}
        assert (text.SHARED_WITH_INDEX in table.totals) is (label != NEW)
        assert (text.IMAGE_HEAD in said) is (label != NEW and final.image_head_weight > 0)
        if label == NEW:
            assert table.totals[text.WEIGHTED_SUM] == result.final.neighbor_vote[NEW]


def test_a_new_label_is_indexed_only_where_it_is_named(tiny_bundle, tiny_corpus, tmp_path, capsys):
    folder, records = tiny_corpus
    copied = shutil.copytree(folder, tmp_path / "cases")
    lines = [record.model_dump_json(exclude_defaults=True) for record in records]
    lines[0] = records[0].model_copy(update={"label": NEW}).model_dump_json(exclude_defaults=True)
    (copied / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["index", "build", "--corpus", str(copied), "--bundle", str(tiny_bundle)]
    words += ["--out", str(tmp_path / "index")]
    assert cli.main(words) == 2, "a slip of the pen must not become a class"
    assert f"has '{NEW}'" in capsys.readouterr().err
    assert cli.main([*words, "--new-labels", NEW]) == 0, capsys.readouterr().err
    engine = load_engine(tiny_bundle, tmp_path / "index", precision="fp32")
    assert engine.task.index_only == (NEW,)
