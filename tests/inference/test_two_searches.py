"""Both searches of one query: ranks on either side, what drops out, a profile for each."""

from __future__ import annotations

import json
import shutil

import pytest

from jomed_app.imaging import read_image
from jomed_app.inference import two_searches as compare
from jomed_app.inference.calibration.profile import CorpusProfile
from jomed_app.inference.load import load_bundle, load_engine
from jomed_app.storage.bundle import write_manifest
from jomed_app.types import CandidatesFound, Result
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png, write_tiny_bundle


@pytest.fixture(scope="module")
def query():
    return read_image(simulated_png(FIRST_FRESH_SEED))


@pytest.fixture(scope="module")
def both(moved_engine, query):
    """Results of the same image, by search."""
    return {each: answered(moved_engine, query, retrieval=each) for each in compare.RETRIEVALS}


def answered(engine, image, **more):
    return list(engine.run(image, **more))[-1].result


def ids(result):
    return [each.candidate_id for each in result.candidates]


def test_beside_simulated_cases_the_standard_search_comes_first(moved_engine, query, both):
    result = answered(moved_engine, query)
    assert moved_engine.info.opens_with == result.retrieval == "standard"
    assert ids(result) == ids(both["standard"])
    assert both["joint"].retrieval == "joint"
    assert both["standard"].retrieval == "standard"
    assert ids(both["joint"]) != ids(both["standard"])


def test_the_standard_search_is_that_of_the_untrained_bundle(tiny_engine, query, both):
    plain = answered(tiny_engine, query)
    assert ids(both["standard"]) == ids(plain)
    for here, there in zip(both["standard"].candidates, plain.candidates, strict=True):
        assert here.weight == there.weight
        assert here.probabilities == pytest.approx(there.probabilities)


def test_similarity_is_on_one_scale_whichever_search_found_a_case(moved_engine, query, both):
    index = moved_engine.index
    view = moved_engine.retriever.look(
        query.model_input, moved_engine.reader.encode([query.model_input])[0]
    )
    vector = moved_engine.retriever.query_vectors(view, trained=False)["image"]
    shares = {
        name: 100 * (index.similarity.pairs < score).mean()
        for name, score in zip(index.ids, index.vectors("image") @ vector, strict=True)
    }
    few = 200 / len(index.similarity.pairs)  # ties are settled by rounding: two pairs at most
    for result in both.values():
        assert {head for each in result.candidates for head in each.heads} == {"image", "text"}
        for each in result.candidates:
            assert each.image_percentile == pytest.approx(shares[each.candidate_id], abs=few)
    nearest = max(index.vectors("image") @ vector)
    expected = index.similarity.is_similar(nearest)
    assert both["joint"].has_similar == both["standard"].has_similar == expected
    events = list(moved_engine.run(query))
    (found,) = [event for event in events if isinstance(event, CandidatesFound)]
    assert found.has_similar == expected
    kept = moved_engine.recompute(events[-1].result, {found.candidates[0].candidate_id})
    assert kept.has_similar == expected


def test_each_result_knows_where_its_candidates_stand_in_the_other(both):
    for here, there in (("joint", "standard"), ("standard", "joint")):
        ranks = {each.candidate_id: each.rank for each in both[there].candidates}
        for each in both[here].candidates:
            if each.candidate_id in ranks:
                assert each.other_rank == ranks[each.candidate_id]
            else:
                assert each.other_rank > len(ranks), "deepened past what the other search shows"
        places = [each.other_rank for each in both[here].candidates]
        assert len(set(places)) == len(places)


def test_what_the_other_search_showed_is_named_with_rank_and_label(moved_engine, both):
    for here, there in (("joint", "standard"), ("standard", "joint")):
        expected = [
            (each.candidate_id, each.rank, each.label)
            for each in both[there].candidates
            if each.candidate_id not in ids(both[here])
        ]
        found = [(each.candidate_id, each.rank, each.label) for each in both[here].dropped]
        assert found == expected
    assert both["joint"].dropped
    assert both["joint"].searches_differ


def test_the_first_event_with_candidates_says_it_already(moved_engine, query, both):
    events = moved_engine.run(query, retrieval="joint")
    (found,) = [event for event in events if isinstance(event, CandidatesFound)]
    assert found.dropped == both["joint"].dropped
    assert [each.other_rank for each in found.candidates] == [
        each.other_rank for each in both["joint"].candidates
    ]


def test_beyond_the_depth_a_candidate_has_no_place(moved_engine, query, both, monkeypatch):
    monkeypatch.setattr(compare, "COMPARED_DEPTH", 1)
    result = answered(moved_engine, query, retrieval="joint")
    shown = set(ids(both["standard"]))
    assert {each.other_rank is None for each in result.candidates} == {
        each not in shown for each in ids(result)
    }
    assert [each.other_rank for each in result.candidates if each.candidate_id not in shown]


def test_each_search_concludes_by_its_own_profile(moved_engine, both):
    assert both["joint"].final.neighbor_weight == 0.0
    assert both["standard"].final.neighbor_weight == 0.5
    gone = both["standard"].candidates[0].candidate_id
    after = moved_engine.recompute(both["standard"], {gone})
    assert after.final.neighbor_weight == 0.5
    assert (after.retrieval, after.dropped) == ("standard", both["standard"].dropped)


def test_k_counts_for_both_searches(moved_engine, query):
    result = answered(moved_engine, query, k=1)
    assert len(result.candidates) == 1
    assert len(result.dropped) <= 1


def test_with_zero_heads_there_is_one_search(tiny_engine, query):
    for retrieval in compare.RETRIEVALS:
        result = answered(tiny_engine, query, retrieval=retrieval)
        assert result.retrieval == "standard"
        assert [each.other_rank for each in result.candidates] == [1, 2, 3, 4]
        assert result.dropped == ()
        assert not result.searches_differ
    assert tiny_engine.info.standard is None


def test_a_refused_image_names_its_search(moved_engine, query, monkeypatch):
    monkeypatch.setattr(type(moved_engine.domain), "probability", lambda self, features: 0.0)
    result = answered(moved_engine, query, retrieval="standard")
    assert result.final.abstained
    assert (result.retrieval, result.candidates) == ("standard", ())


def test_an_older_result_still_validates(both):
    values = json.loads(both["joint"].model_dump_json(by_alias=True))
    for name in ("retrieval", "dropped"):
        values.pop(name)
    for each in values["candidates"]:
        each.pop("other_rank")
    old = Result.model_validate(values)
    assert (old.retrieval, old.dropped, old.searches_differ) == ("standard", (), False)
    assert ids(old) == ids(both["joint"])


def test_a_bundle_with_moved_heads_holds_a_profile_for_each_search(moved_bundle, moved_engine):
    parts = load_bundle(moved_bundle, "fp32")
    assert parts.has_trained_heads
    assert parts.profile(simulated=True).settings.vote_share == 0.0
    standard = parts.profile(simulated=True, standard=True)
    assert standard.settings.vote_share == 0.5
    assert standard.calibration.scaling.temperature == 2.0
    assert parts.profile(simulated=False, standard=True) == CorpusProfile()
    info = moved_engine.info
    assert (info.measured_on, info.error_rates) == ("40 tiny images", {"consistent": 0.2})
    assert info.standard.measured_on == "40 tiny images by similarity alone"
    assert info.standard.error_rates == {}
    assert info.standard.bundle == info.bundle


def test_a_profile_fitted_for_the_other_search_says_so(tiny_corpus, tiny_index, tmp_path):
    folder = write_tiny_bundle(tmp_path / "bundle", *tiny_corpus, has_moved_heads=True)
    parts = load_bundle(folder, "fp32")
    assert parts.profile(True, standard=True) is parts.profile(True)
    info = load_engine(folder, tiny_index, precision="fp32").info
    assert info.measured_on == "40 tiny images"
    assert info.standard.measured_on == "40 tiny images, with the jointly optimised search"


def test_a_standard_profile_means_nothing_without_heads(tiny_bundle, tiny_index, tmp_path):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    profile = {"standard": {"thresholds": {"vote_share": 0.5}}}
    labels = load_bundle(folder, "fp32").task.labels
    write_manifest(
        folder, name="t", version="1", task="breast", labels=labels, profiles={"simulated": profile}
    )
    assert not load_bundle(folder, "fp32").has_trained_heads
    assert load_engine(folder, tiny_index, precision="fp32").standard is None
