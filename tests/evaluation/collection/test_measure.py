"""A collection measured on itself with a tiny bundle: nothing of its own group, said truly."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from jomed_app.data.records import write_records
from jomed_app.errors import ConfigError, RecordError
from jomed_app.evaluation.collection import fit
from jomed_app.evaluation.collection.groups import group_collection
from jomed_app.evaluation.collection.measure import (
    calibrate_collection,
    measure_collection,
    open_collection,
)
from jomed_app.evaluation.collection.read import choose_cases, read_collection, source_of
from jomed_app.inference.load import load_bundle, load_engine
from jomed_app.retrieval.build import add_to_index, build_index
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import read_manifest
from tests.few_trials import few_trials
from tests.tiny_bundle import write_tiny_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Twelve cases of six patients; the last two are one image under two names."""
    folder = tmp_path_factory.mktemp("collection")
    records = write_tiny_corpus(folder, 12, seed=31)
    shutil.copyfile(folder / records[10].image, folder / records[11].image)
    records = [
        each.model_copy(update={"group": f"p{place // 2}" if place < 10 else f"q{place}"})
        for place, each in enumerate(records)
    ]
    records[11] = records[11].model_copy(
        update={name: getattr(records[10], name) for name in ("label", "boxes", "rows", "columns")}
    )
    write_records(folder, records)
    return folder, records


@pytest.fixture(scope="module")
def built(corpus, moved_bundle, tmp_path_factory):
    out = tmp_path_factory.mktemp("index") / "mine"
    parts = load_bundle(moved_bundle, "fp32")
    build_index(corpus[1], corpus[0], parts.retriever, out, name="mine")
    return out


@pytest.fixture
def index(built, tmp_path):
    return shutil.copytree(built, tmp_path / "mine")


@pytest.fixture
def few(monkeypatch):
    """A dozen cases are enough to fit to, five labels and folds too."""
    for name, value in {"LEAST_CASES": 6, "LEAST_GROUPS": 3, "LEAST_OF_LABEL": 1,
                        "FOLDS": 2}.items():  # fmt: skip
        monkeypatch.setattr(fit, name, value)


def silent(*step, **figures):
    """Nobody looks."""


def test_twins_that_nobody_named_are_put_together(built, moved_bundle):
    found = group_collection(
        CandidateIndex.load(built, load_bundle(moved_bundle, "fp32").retriever.fingerprint)
    )
    ids = sorted(found.of)
    assert found.of[ids[10]] == found.of[ids[11]]
    assert found.of[ids[0]] == found.of[ids[1]] != found.of[ids[2]]
    assert found.by_pixels >= 2
    assert found.by_tower >= 2
    assert found.unnamed >= 2


def test_no_case_stands_beside_its_own_group_or_twin(built, moved_bundle):
    opened = open_collection(built, moved_bundle)
    chosen = choose_cases(opened.index.ids, 12)
    half = frozenset(chosen[:4])
    steps = []
    read = read_collection(
        opened.reader, chosen, opened.groups, source_of(opened.reader, None), is_original=False,
        hidden={8: half}, on_case=lambda *step: steps.append(step),
    )  # fmt: skip
    assert steps[-1] == (12, 12)
    for place, record in enumerate(read.records):
        own = opened.groups.members[opened.groups.of[record.case_id]]
        for case in (read.standard[place], read.joint[place]):
            assert own.isdisjoint(case.candidate_ids)
        assert (own | half).isdisjoint(read.grown[8][place].candidate_ids)


def test_a_small_collection_is_measured_and_says_why_nothing_was_fitted(built, moved_bundle):
    with few_trials():
        report = measure_collection(open_collection(built, moved_bundle), on_progress=silent)
    assert (report.cases, report.measured, report.queries) == (12, 12, "thumbnails")
    assert set(report.app.systems) == {
        "image_alone", "knn", "no_retrieval", "reader", "rag", "joint_reader", "joint",
    }  # fmt: skip
    assert [point.cases for point in report.app.curve] == [3, 6, 12]
    assert report.fitted is None
    assert "at least 100 cases" in report.too_small
    assert report.twins.groups <= 7


def test_a_calibrated_collection_is_what_the_app_answers_with(
    index, corpus, moved_bundle, few, tmp_path
):
    before = load_engine(moved_bundle, index, precision="fp32")
    with few_trials():
        report = calibrate_collection(
            open_collection(index, moved_bundle, data=corpus[0]), on_progress=silent
        )
    assert report.fitted is not None
    assert report.queries == "originals"
    engine = load_engine(moved_bundle, index, precision="fp32")
    assert "your 12 cases of mine" in engine.info.measured_on
    assert "your 12 cases of mine" in engine.info.standard.measured_on
    assert engine.profile.calibration.reliability is not None
    assert engine.profile != before.profile
    assert engine.info.cutoffs == (), "a dozen cases show no operating point"
    assert engine.info.index == before.info.index, "the cases are the same"
    grown = tmp_path / "grown"
    extra = write_tiny_corpus(tmp_path / "extra", 1, seed=77)
    fresh = [each.model_copy(update={"case_id": "zz"}) for each in extra]
    add_to_index(index, fresh, tmp_path / "extra", engine.retriever, out=grown)
    assert read_manifest(grown).calibrated == {}, "other cases, other figures"


def test_another_bundle_takes_no_profile_that_is_not_its_own(index, moved_bundle, few):
    with few_trials():
        calibrate_collection(open_collection(index, moved_bundle), on_progress=silent)
    parts = load_bundle(moved_bundle, "fp32")
    known = read_manifest(index)
    assert parts.is_fitted_to(known)
    stranger = known.model_copy(update={"calibrated": {"0" * 16: known.calibrated.popitem()[1]}})
    assert not parts.is_fitted_to(stranger)
    assert parts.profile_beside(stranger) == parts.profile(known.simulated)


def test_a_small_collection_keeps_no_profile(index, moved_bundle):
    written = (index / "manifest.json").read_bytes()
    with pytest.raises(ConfigError, match="at least 100 cases"):
        calibrate_collection(open_collection(index, moved_bundle), on_progress=silent)
    assert (index / "manifest.json").read_bytes() == written


def test_files_that_are_gone_or_others_are_refused(index, corpus, moved_bundle, tmp_path):
    other = shutil.copytree(corpus[0], tmp_path / "other")
    first = other / corpus[1][0].image
    shutil.copyfile(other / corpus[1][3].image, first)
    with pytest.raises(RecordError, match="must be the one that was indexed, found another"):
        measure_collection(open_collection(index, moved_bundle, data=other), on_progress=silent)
    first.unlink()
    with pytest.raises(RecordError, match="must lie where the index found it"):
        measure_collection(open_collection(index, moved_bundle, data=other), on_progress=silent)


def test_cases_of_another_task_name_it(index, moved_bundle):
    with pytest.raises(ConfigError, match=r"must be of the task 'retina', found .*--task"):
        open_collection(index, moved_bundle, task_name="retina")


def test_the_same_cases_are_chosen_whatever_their_order():
    names = [f"c{place}" for place in range(50)]
    assert choose_cases(names, 10) == choose_cases(names[::-1], 10)
    assert np.isin(choose_cases(names, 10), choose_cases(names, 20)).all()
