"""How the diagnosis arose: every part, and totals that add up."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.sum_table import SumTable
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def table(result, **final) -> SumTable:
    return SumTable.of(result.candidates, result.final.model_copy(update=final))


@pytest.fixture
def read(result) -> float:
    """What the candidates give the predicted class."""
    return sum(each.weight * each.probabilities["malignant"] for each in result.candidates)


def test_the_sum_is_shown_as_parts(result, read):
    shown = table(result)
    assert [part.name for part in shown.parts] == ["#1", "#2", "#3", "#4"]
    assert shown.totals[text.WEIGHTED_SUM] == pytest.approx(read)
    assert sum(part.product for part in shown.parts) == pytest.approx(read)
    html = render(shown)
    assert f"<td>{read:.3f}</td>" in html
    assert "&times; 0.84" in html
    assert "p(malignant)" in html


def test_the_vote_is_a_part_of_the_sum(result, read):
    voted = {"neighbor_vote": {"benign": 0.25, "malignant": 0.75}, "neighbor_weight": 0.4}
    html = render(table(result, **voted))
    assert text.NEAREST_LABELS in html
    assert "<td>0.400</td><td>&times; 0.750</td><td>0.300</td>" in html
    assert f"<td>{0.6 * read + 0.3:.3f}</td>" in html
    assert text.NEAREST_LABELS not in render(table(result))


def test_the_image_classifier_is_a_part_of_the_sum(result, read):
    heard = {"image_head": {"benign": 0.1, "malignant": 0.9}, "image_head_weight": 0.5}
    html = render(table(result, **heard))
    assert text.IMAGE_HEAD in html
    assert f"<td>{0.5 * read + 0.45:.3f}</td>" in html


def test_labels_of_the_index_alone_leave_the_rest_to_the_others(result):
    wider = {
        "index_only": ("phyllodes",),
        "neighbor_vote": {"phyllodes": 0.25},
        "probabilities": {"normal": 0.1, "benign": 0.2, "malignant": 0.45, "phyllodes": 0.25},
    }
    shares = [
        table(result, **wider, prediction=label).totals[text.SHARED_WITH_INDEX]
        for label in ("normal", "benign", "malignant")
    ]
    assert sum(shares) == pytest.approx(0.75)
    alone = table(result, **wider, prediction="phyllodes")
    assert [(part.name, part.product) for part in alone.parts] == [("near", 0.25)]
    assert text.SHARED_WITH_INDEX not in alone.totals


def test_without_a_predicted_class_there_is_no_sum(result):
    assert table(result, prediction=None) is None


def test_a_hostile_label_is_shown_as_text(result):
    def hostile(words: str) -> SumTable:
        update = {"prediction": words, "probabilities": {words: 1.0}}
        candidates = tuple(each.model_copy(update=update) for each in result.candidates)
        return SumTable.of(candidates, result.final.model_copy(update=update))

    assert_shown_as_text(hostile)
