"""Claims about diagnoses: BREAST, RETINA, retrieval, the reader, the trained search."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

from benchmarks.claims.rows import Evaluated, Row, Source, line
from benchmarks.kept import KeptReports
from jomed_app.evaluation.report.pages.markdown import mean_and_spread
from jomed_app.evaluation.report.pages.systems import has_clean_figures
from jomed_app.evaluation.report.schema import read_report

PLAIN = "breast.md#plain"
MASKED = "breast.md#annotations-in-the-image-masked"
SIMULATED = "breast.md#beside-the-simulated-index"
RETINA = "retina.md#plain"


def breast(kept: KeptReports) -> list[Row]:
    """How often breast ultrasound is diagnosed rightly."""
    plain = Evaluated(kept, "breast.report", PLAIN)
    binary = Evaluated(kept, "breast.report.binary", f"{PLAIN}-malignant-or-not")
    masked = Evaluated(kept, "breast.report.masked", MASKED)
    simulated = Evaluated(kept, "breast.report.index", SIMULATED)
    return [
        *map(Row.headline, plain.row("BREAST, accuracy, three classes", "joint", "image_alone")),
        *plain.row("BREAST, accuracy, three classes", "joint", "backbone"),
        *plain.row("BREAST, accuracy, three classes", "rag", "image_alone"),
        *map(Row.headline, plain.row("BREAST, AUROC, malignant", "joint", "image_alone", "auroc")),
        *plain.row("BREAST, AUROC, malignant", "joint", "backbone", "auroc"),
        *plain.row("BREAST, sensitivity, malignant", "joint", "image_alone", "sensitivity"),
        *plain.row(
            "BREAST, normal cases found normal", "joint", "image_alone", "recall", label="normal"
        ),
        *binary.row("BREAST, accuracy, malignant or not", "joint", "image_alone"),
        *masked.row("BREAST, accuracy, annotations masked", "rag", "image_alone"),
        *map(
            Row.headline,
            simulated.row("BREAST, accuracy beside the simulated index", "rag", "image_alone"),
        ),
        *simulated.row("BREAST, accuracy beside the simulated index", "joint", "rag"),
    ]


def retina(kept: KeptReports) -> list[Row]:
    """How often small fundus images are graded rightly."""
    plain = Evaluated(kept, "retina.report", RETINA)
    return [
        *map(Row.headline, plain.row("RETINA, accuracy, five grades", "rag", "backbone")),
        *plain.row("RETINA, accuracy, five grades", "joint", "backbone"),
        *plain.row("RETINA, macro F1", "rag", "backbone", "macro_f1"),
        *plain.row("RETINA, AUROC, proliferative", "rag", "backbone", "auroc"),
        *plain.row("RETINA, proliferative cases found", "rag", "backbone", "sensitivity"),
    ]


def retrieval(kept: KeptReports) -> list[Row]:
    """What candidates and the vote of known cases bring."""
    plain = Evaluated(kept, "breast.report", PLAIN)
    simulated = Evaluated(kept, "breast.report.index", SIMULATED)
    fundus = Evaluated(kept, "retina.report", RETINA)
    even = Evaluated(kept, "breast.report.gap", "rerankers.md#breast")
    fundus_even = Evaluated(kept, "retina.report.gap", "rerankers.md#retina")
    return [
        *plain.row("BREAST, accuracy", "rag", "no_retrieval"),
        *plain.row("BREAST, accuracy", "rag", "knn"),
        *plain.row("BREAST, accuracy", "knn", "backbone"),
        *plain.row(
            "BREAST, candidates with the case's label",
            "reader",
            "random_candidates",
            "label_agreement_at_k",
        ),
        *_oracle(plain, "reader"),
        *simulated.row("BREAST beside the simulated index, accuracy", "rag", "backbone"),
        *simulated.row("BREAST beside the simulated index, accuracy", "knn", "backbone"),
        *fundus.row("RETINA, accuracy", "rag", "no_retrieval"),
        *fundus.row("RETINA, accuracy", "rag", "knn"),
        *even.row("BREAST, candidates weighed by usefulness, accuracy", "useful", "even"),
        *even.row("BREAST, the best-scored candidate alone, accuracy", "rerank_cosine", "even"),
        *fundus_even.row("RETINA, candidates weighed by usefulness, accuracy", "useful", "even"),
        *_assignments(kept),
    ]


def reader(kept: KeptReports) -> list[Row]:
    """Whether the reader reads what stands beside a case."""
    plain = Evaluated(kept, "breast.report", PLAIN)
    simulated = Evaluated(kept, "breast.report.index", SIMULATED)
    masked = Evaluated(kept, "breast.report.masked", MASKED)
    fundus = Evaluated(kept, "retina.report", RETINA)
    return [
        *map(Row.headline, plain.row("BREAST, accuracy", "reader", "no_retrieval")),
        *plain.row("BREAST, accuracy", "reader", "random_candidates"),
        *plain.row("BREAST, accuracy", "reader", "adversarial_candidates"),
        *plain.row("BREAST, accuracy", "reader", "backbone"),
        *masked.row("BREAST, annotations masked, accuracy", "reader", "no_retrieval"),
        *simulated.row("BREAST beside the simulated index, accuracy", "reader", "no_retrieval"),
        *fundus.row("RETINA, accuracy", "reader", "no_retrieval"),
        *fundus.row("RETINA, accuracy", "reader", "random_candidates"),
        *_ways_of_tuning(kept),
    ]


def joint(kept: KeptReports) -> list[Row]:
    """What teaching the search by the reader's answers brings."""
    plain = Evaluated(kept, "breast.report", PLAIN)
    binary = Evaluated(kept, "breast.report.binary", f"{PLAIN}-malignant-or-not")
    simulated = Evaluated(kept, "breast.report.index", SIMULATED)
    fundus = Evaluated(kept, "retina.report", RETINA)
    return [
        *plain.row("BREAST, accuracy", "joint", "rag"),
        *_over_seeds(kept),
        *plain.row("BREAST, AUROC", "joint", "rag", "auroc"),
        *plain.row("BREAST, accuracy", "joint_reader", "reader"),
        *binary.row("BREAST, malignant or not, accuracy", "joint", "rag"),
        *simulated.row("BREAST beside the simulated index, AUROC", "joint", "rag", "auroc"),
        *fundus.row("RETINA, accuracy", "joint", "rag"),
        *fundus.row("RETINA, accuracy", "joint_reader", "reader"),
        *_options(kept),
    ]


def near_duplicates(kept: KeptReports) -> list[Row]:
    """What is left without near duplicates of the cases among the known ones."""
    rows = []
    for task, name, page in (
        ("BREAST", "breast.report", PLAIN),
        ("RETINA", "retina.report", RETINA),
    ):
        report = Evaluated(kept, name, page).report
        if report is None:
            continue
        rag = report.systems["rag"]
        row = line(
            Source(
                name, page, f"{report.n_clean if has_clean_figures(report) else report.n} cases"
            ),
            f"{task}, accuracy without near duplicates: `rag`",
            rag.accuracy_clean if has_clean_figures(report) else None,
            rag.accuracy,
            "`rag` on all cases",
        )
        rows.append(row if has_clean_figures(report) else replace(row, says="not computed"))
    return rows


def _oracle(evaluated: Evaluated, system: str) -> list[Row]:
    """Any candidate leads to the right answer, beside the same of guesses."""
    if evaluated.report is None:
        return []
    figures = evaluated.report.systems[system]
    what = f"BREAST, any candidate leads to the right answer: `{system}`"
    reference = figures.chance_oracle
    return [line(evaluated.source, what, figures.oracle_accuracy, reference, "the same of guesses")]


def _assignments(kept: KeptReports) -> list[Row]:
    rows = kept.load("breast.fold_seeds")
    if rows is None:
        return []
    of = {
        name: [row["accuracy"] for row in rows if row["system"] == name]
        for name in ("knn", "backbone")
    }
    source = Source(
        "breast.fold_seeds", "fold_assignments.md", f"{len(of['knn'])} assignments of folds"
    )
    what = f"BREAST, accuracy over assignments of folds: `knn`, {mean_and_spread(of['knn'])}"
    return [line(source, what, mean(of["knn"]), mean(of["backbone"]), "`backbone`")]


def _ways_of_tuning(kept: KeptReports) -> list[Row]:
    """Every way of tuning beside random candidates, and what a class outside tuning gets."""
    rows = []
    for each in kept.load("reading") or ():
        share = f"{100 * each['fraction']:.0f} % of the cases known"
        source = Source("reading", f"reading.md#task-{each['task']}", f"{each['cases']} cases")
        task = each["task"].upper()
        if each["held_out"]:
            told = each["class"]
            source = Source("reading", source.page, f"{told['cases']} cases")
            what = f"{task}, tuned `{each['way']}` without {each['held_out']}, its cases found"
            value, low, high = told["rag"]
            reference = told["no_retrieval"][0]
            rows.append(
                line(source, what, value, reference, "without candidates", interval=(low, high),
                     difference=told["gap"][0], difference_interval=told["gap"][1:])
            )  # fmt: skip
        elif each["fraction"] == 1.0:
            value, low, high = each["rag"]
            gap, *ends = each["gaps"]["random_candidates"]
            rows.append(
                line(
                    source,
                    f"{task}, tuned `{each['way']}`, {share}, accuracy",
                    value,
                    each["random_candidates"][0],
                    "random candidates",
                    interval=(low, high),
                    difference=gap,
                    difference_interval=ends,
                )
            )
    return rows


def _over_seeds(kept: KeptReports) -> list[Row]:
    """The mean over seeds of the query heads, where several are kept."""
    names = ["breast.report", *kept.names("breast.report.joint[0-9]")]
    reports = [read_report(kept.path(name)) for name in names if kept.path(name).is_file()]
    values = [each.systems["joint"].accuracy for each in reports if "joint" in each.systems]
    if len(values) < 2:
        return []
    source = Source("breast.report", PLAIN, f"{reports[0].n} cases, {len(values)} seeds")
    what = f"BREAST, accuracy over seeds: `joint`, {mean_and_spread(values)}"
    return [line(source, what, mean(values), reports[0].systems["rag"].accuracy, "`rag`")]


def _options(kept: KeptReports) -> list[Row]:
    """The best and the worst recipe beside heads that were not trained."""
    values = kept.load("joint")
    if values is None:
        return []
    of: dict[str, list[float]] = {}
    for row in values["rows"]:
        of.setdefault(row["option"], []).append(row["accuracy"])
    frozen = mean(of.pop("frozen"))
    source = Source("joint", "joint.md", f"{values['cases']} cases")
    ordered = sorted(of, key=lambda name: mean(of[name]))
    return [
        line(
            source,
            f"BREAST, candidates alone, {word} of {len(of)} recipes: `{name}`, "
            f"{mean_and_spread(of[name])}",
            mean(of[name]),
            frozen,
            "`frozen`",
        )
        for word, name in (("best", ordered[-1]), ("worst", ordered[0]))
    ]
