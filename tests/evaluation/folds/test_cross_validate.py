from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from jomed_app.data.records import read_records
from jomed_app.evaluation.folds.cross_validate import COMPARISONS, JOINT_COMPARISONS, cross_validate
from jomed_app.evaluation.folds.readings import read_folds
from jomed_app.evaluation.report.build import read_report
from jomed_app.evaluation.systems import ADVERSARIAL, JOINT_NAMES, SYSTEMS
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.training.cases.tower_tokens import encode_corpus_tokens
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace
from tests.few_trials import RESAMPLES, few_trials
from tests.tiny_run import NUM_REAL, tiny_config

REPORTS = tuple(
    f"report{kind}{suffix}" for kind in ("", ".masked", ".index") for suffix in ("", ".binary")
)


@pytest.fixture
def short():
    """Fit and resample as little as the run itself did."""
    with few_trials():
        yield


@pytest.fixture(scope="module")
def folder(tiny_run):
    return tiny_run / "cv"


def readings(folder, name="raw"):
    """What was read in both folds."""
    parts = [json.loads((folder / f"{name}.fold{fold}.json").read_text()) for fold in range(2)]
    assert not parts[0].keys() & parts[1].keys()
    return parts[0] | parts[1]


@pytest.mark.parametrize("name", REPORTS)
def test_every_real_case_is_answered_by_every_system(folder, name):
    report = read_report(folder / f"{name}.json")
    assert (report.n, report.num_resamples) == (NUM_REAL, RESAMPLES)
    joint = () if "masked" in name else tuple(JOINT_NAMES.values())
    binary, misled = "binary" in name, name == "report"
    own = [each for each in SYSTEMS if misled or each != ADVERSARIAL]
    assert tuple(report.systems) == (*own, *joint)
    compared = {(each.first, each.second) for each in report.differences}
    asked = {*COMPARISONS, *(JOINT_COMPARISONS if joint else ())}
    assert compared == {pair for pair in asked if misled or ADVERSARIAL not in pair}
    assert ("masked" in report.split) is ("masked" in name)
    assert report.labels == (
        ("other", "malignant") if binary else ("normal", "benign", "malignant")
    )
    assert report.task == ("breast-binary" if binary else "breast")


def test_each_case_was_read_once_beside_cases_of_the_other_fold(folder):
    raw = readings(folder)
    assert sorted(map(int, raw)) == list(range(12, 12 + NUM_REAL)), "real rows follow simulated"
    sizes = {len(json.loads((folder / f"raw.fold{fold}.json").read_text())) for fold in range(2)}
    for case in raw.values():
        assert len(case["retrieved"]) == len(case["drawn"]) == len(case["scores"]) == 4
        assert max(case["scores"]) == pytest.approx(1.0)
        assert NUM_REAL - len(case["neighbor_labels"]) in sizes, "the whole other fold is near"
        assert case["neighbor_scores"] == sorted(case["neighbor_scores"], reverse=True)
        assert len(case["neighbor_scores"]) == len(case["neighbor_labels"])
        assert len(case["adversarial"]) == len(case["adversarial_labels"]) <= 4
        beside = (*case["retrieved"], *case["drawn"], *case["adversarial"])
        for row in (*beside, case["plain"], case["backbone"]):
            assert np.exp(row).sum() == pytest.approx(1.0, abs=1e-4)


def test_masking_changes_what_is_read_and_nothing_else(folder):
    plain, masked = readings(folder), readings(folder, "raw.masked")
    assert plain.keys() == masked.keys()
    assert all(plain[row]["drawn_labels"] == masked[row]["drawn_labels"] for row in plain)


def test_boxes_lie_in_their_images(folder, tiny_real_cases):
    raw = readings(folder)
    records = [each for each in read_records(tiny_real_cases) if each.split != "test"]
    for row, case in raw.items():
        record = records[int(row) - 12]
        for x0, y0, x1, y1 in case["boxes"]:
            assert 0 <= x0 < x1 <= record.columns
            assert 0 <= y0 < y1 <= record.rows


@pytest.mark.parametrize("name", ["raw", "raw.masked", "raw.index"])
def test_what_the_localizer_says_is_kept(folder, tiny_real_cases, name):
    records = [each for each in read_records(tiny_real_cases) if each.split != "test"]
    for row, case in readings(folder, name).items():
        record = records[int(row) - 12]
        assert sum(case["class_prob"]) == pytest.approx(1.0, abs=1e-4)
        assert case["presence"] == pytest.approx(1 - case["class_prob"][0], abs=1e-4)
        assert 0 <= case["dense"] <= 1
        x, y = case["heat_peak"]
        assert 0 < x < record.columns
        assert 0 < y < record.rows
        for x0, y0, x1, y1 in case["located"]:
            assert 0 <= x0 < x1 <= record.columns
            assert 0 <= y0 < y1 <= record.rows


def test_only_the_app_scores_its_boxes_and_shows_a_heat_map(folder):
    systems = read_report(folder / "report.json").systems
    for name, system in systems.items():
        shows = name in ("rag", "joint")
        assert (system.froc is not None) is (system.pointing is not None) is shows


def test_trained_heads_change_candidates_and_voters_and_nothing_else(folder):
    standard, joint = readings(folder), readings(folder, "raw.joint0")
    assert standard.keys() == joint.keys()
    for row, case in joint.items():
        for name in ("plain", "backbone", "drawn", "class_prob"):
            assert case[name] == standard[row][name]
        assert len(case["retrieved"]) == 4
    assert any(joint[row]["scores"] != standard[row]["scores"] for row in joint)


def test_each_seed_of_the_heads_has_a_report_of_its_own_where_it_was_trained(folder):
    first, second = (read_report(folder / f"report{name}.json") for name in ("", ".joint1"))
    assert (first.seed, second.seed) == (0, 1)
    assert first.systems["rag"].nll == second.systems["rag"].nll
    assert first.systems.keys() == second.systems.keys()
    assert not list(folder.glob("*.index.joint1*")), "beside an index the first seed is read alone"


def test_the_settings_can_be_read_back(folder):
    profiles = json.loads((folder / "settings.json").read_text())
    assert set(profiles) == {"real", "simulated"}
    assert all("standard" in settings for settings in profiles.values())
    for settings in (*profiles.values(), *(each["standard"] for each in profiles.values())):
        calibration = Calibration.model_validate(settings["calibration"])
        assert calibration.reliability is not None
        assert sum(calibration.reliability.counts) == NUM_REAL
        assert settings["trials"]
    assert "with 8 simulated cases as known cases" in profiles["simulated"]["measured_on"]


def test_the_simulated_index_is_read_with_its_own_candidates(folder):
    """The same queries; what they are read beside, and who votes, comes from other cases."""
    real, indexed = readings(folder), readings(folder, "raw.index")
    assert real.keys() == indexed.keys()
    assert all(case["boxes"] is None for case in indexed.values())
    for row, case in indexed.items():
        assert len(case["neighbor_labels"]) == 8
        assert case["backbone"] == pytest.approx(real[row]["backbone"])


def _forget_adversarial(path):
    """Make a reading one from before there were adversarial candidates."""
    cases = json.loads(path.read_text())
    for case in cases.values():
        del case["adversarial"], case["adversarial_labels"]
    path.write_text(json.dumps(cases))


@pytest.mark.usefixtures("short")
def test_a_fold_that_was_read_is_not_read_again(tiny_run, tiny_real_cases, tmp_path, monkeypatch):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "cv" / "settings.json").unlink()
    _forget_adversarial(run / "cv" / "raw.fold0.json")

    def again(*args, **more):
        raise AssertionError("read twice")

    monkeypatch.setattr("jomed_app.evaluation.folds.readings.read_fold", again)
    steps = []
    fitted = cross_validate(
        tiny_config(tiny_real_cases), run, on_progress=lambda done, total, **_: steps.append(done)
    )
    assert steps[-1] == 3 * NUM_REAL
    assert ADVERSARIAL not in read_report(run / "cv" / "report.json").systems
    assert ADVERSARIAL in read_report(tiny_run / "cv" / "report.json").systems
    kept = json.loads((tiny_run / "cv" / "settings.json").read_text())
    for corpus, each in fitted.items():
        found = each.to_dict() | {"measured_on": kept[corpus]["standard"]["measured_on"]}
        assert found == kept[corpus]["standard"]


@pytest.mark.usefixtures("short")
def test_the_quick_way_says_the_same_from_fewer_answers(tiny_run, tiny_real_cases, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    for path in (run / "cv").iterdir():
        path.unlink()
    cross_validate(tiny_config(tiny_real_cases), run, thorough=False)
    read = {path.name.removesuffix(".fold0.json") for path in (run / "cv").glob("*.fold0.json")}
    assert read == {"raw.quick", "raw.quick.joint0", "raw.index", "raw.index.joint0"}
    thorough = readings(tiny_run / "cv")
    for row, case in readings(run / "cv", "raw.quick").items():
        assert "adversarial" not in case or case["adversarial"] is None
        assert case["boxes"] is None
        np.testing.assert_allclose(case["retrieved"], thorough[row]["retrieved"], atol=1e-5)
    kept, found = (
        json.loads((each / "cv" / "settings.json").read_text()) for each in (tiny_run, run)
    )
    assert {corpus: each.keys() for corpus, each in found.items()} == {
        corpus: each.keys() for corpus, each in kept.items()
    }
    reports = {path.name for path in (run / "cv").glob("report*.json")}
    assert reports == {
        f"report{kind}{suffix}.json" for kind in ("", ".index") for suffix in ("", ".binary")
    }
    systems = read_report(run / "cv" / "report.json").systems
    whole = read_report(tiny_run / "cv" / "report.json").systems
    assert systems.keys() == whole.keys() - {ADVERSARIAL}


@pytest.mark.parametrize(("absent", "times"), [((), 0), ((1,), 1), ((0, 1), 1)])
def test_masked_images_are_encoded_when_needed_and_once_for_all_folds(
    tiny_run, tiny_real_cases, tmp_path, monkeypatch, absent, times
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    for fold in absent:
        (run / "cv" / f"raw.masked.fold{fold}.json").unlink()
    encoded = []

    def counted(reader, images):
        encoded.append(len(images.squares))
        return encode_corpus_tokens(reader, images)

    monkeypatch.setattr("jomed_app.evaluation.folds.readings.encode_corpus_tokens", counted)
    work = Workspace(run, tiny_config(tiny_real_cases))
    again = read_folds(work, no_progress).raw["raw.masked"]
    assert encoded == [NUM_REAL] * times
    kept = readings(tiny_run / "cv", "raw.masked")
    assert {str(row) for row in again} == kept.keys()
    for row, case in again.items():
        np.testing.assert_allclose(case.evidence.alone, kept[str(row)]["plain"], atol=1e-5)
