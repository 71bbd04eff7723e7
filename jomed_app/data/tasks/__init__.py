"""Task definitions: what is asked, the classes and the descriptors. A task is a TOML file.

A user adds a task by writing such a file; `load_task` takes its path in place of a name.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jomed_app.data.tasks.assessment import SUSPICION, Assessment
from jomed_app.data.tasks.report_words import ReportWords
from jomed_app.errors import RecordError, first_fault

FOLDER = Path(__file__).parent
# PS3.3 C.7.3.1.1.1: endoscopy, general and slide microscopy, photographs of eye and body.
COLORED_MODALITIES = frozenset({"ES", "GM", "SM", "OP", "XC"})
ModalityTerm = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,16}$")]


class Task(BaseModel):
    """One task: a diagnosis among labels (closed), or questions with free answers (open).

    Attributes:
        name: short name, as in `--task`.
        title: name for people.
        kind: closed has labels; open has none, its questions come with the cases.
        question: asked of the reader when the user asks nothing else.
        corpus: public set that the cases come from; the task's own name where empty.
        keep: facts (provenance) that a case must state to take part.
        label_field: the fact that is the label; the case's own label where empty.
        label_names: what a case says -> the task's label; what is named nowhere is left out.
        labels: classes, in the order of every probability vector.
        index_only: the last of them, where known cases have them and nothing was tuned on them.
        positive_label: the class of the two-class question (AUROC, sensitivity).
        empty_labels: classes without a finding: no box, no descriptors.
        has_boxes: whether an answer with a finding says where the finding is.
        descriptors: descriptor -> allowed values, in the order in which an answer names them.
        finding: what a box encloses.
        assessment: the scale on which a reader says how suspicious an image is.
        simulator: name of the package's simulator that makes cases of this task; empty for none.
        modalities: DICOM (0008,0060) terms of the images that the task reads, such as US; empty
            where nothing is known of them.
        unit: plural noun for frequencies ("about 7 of 10 such ultrasound images").
        out_of_domain: sentence said when an image is refused.
        report: how findings are worded in a report; None where the task words none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    kind: Literal["closed", "open"] = "closed"
    question: str
    corpus: str = ""
    keep: dict[str, str] = {}
    label_field: str = ""
    label_names: dict[str, str] = {}
    labels: tuple[str, ...] = ()
    index_only: tuple[str, ...] = ()
    positive_label: str = ""
    empty_labels: tuple[str, ...] = ()
    has_boxes: bool = True
    descriptors: dict[str, tuple[str, ...]] = {}
    finding: str = "finding"
    assessment: Assessment = SUSPICION
    simulator: Literal["", "breast_ultrasound"] = ""
    modalities: tuple[ModalityTerm, ...] = ()
    unit: str = "such images"
    out_of_domain: str = "This image is outside what the model knows"
    report: ReportWords | None = None

    @model_validator(mode="after")
    def _labels_are_consistent(self) -> Task:
        if self.kind == "open":
            if self.labels or self.positive_label or self.empty_labels or self.descriptors:
                raise ValueError("an open task must have no labels and no descriptors")
            return self
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be at least two different names")
        if self.report is not None:
            for name in self.report.descriptors:
                if name not in self.descriptors:
                    raise ValueError(f"report: '{name}' must be one of the task's descriptors")
            for label, category in self.report.suggested.items():
                if label not in self.labels or category[:1] not in {
                    each[:1] for each in self.report.categories
                }:
                    raise ValueError(
                        f"report: '{label}' must be a label that suggests a category of the scale"
                    )
        named = (self.positive_label, *self.empty_labels, *self.label_names.values())
        for label in named:
            if label not in self.labels:
                raise ValueError(f"'{label}' must be one of the labels {list(self.labels)}")
        new = len(self.index_only)
        if new and (new == len(self.labels) or self.labels[-new:] != self.index_only):
            raise ValueError("index_only must name the last labels, not all of them")
        return self

    @property
    def is_open(self) -> bool:
        """Whether answers are free texts."""
        return self.kind == "open"

    @property
    def reads_color(self) -> bool:
        """Whether an image that is colored all over may be one of the task's."""
        return not self.modalities or not COLORED_MODALITIES.isdisjoint(self.modalities)

    @property
    def corpus_name(self) -> str:
        """Name of the public set that the cases come from."""
        return self.corpus or self.name

    @property
    def positive_index(self) -> int:
        """Position of the positive label."""
        return self.labels.index(self.positive_label)

    @property
    def answer_words(self) -> tuple[str, ...]:
        """Every word an answer can hold: labels, then descriptor values, without repeats."""
        values = [value for options in self.descriptors.values() for value in options]
        return tuple(dict.fromkeys([*self.labels, *values]))


def load_task(name_or_path: str | Path) -> Task:
    """Load a task that ships with the package, or one from a TOML file.

    Raises:
        RecordError: if there is no such task or its file does not follow the schema.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in FOLDER.glob("*.toml"))
        raise RecordError(
            f"a task must be one of {known} or the path of a .toml file, found '{name_or_path}'"
        )
    try:
        return task_from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"task file '{path.name}' must be valid TOML: {error}") from error


def task_of_bundle(values: dict[str, Any]) -> Task:
    """Build the task that a bundle holds.

    One that was sealed before tasks stated modalities, an assessment or words of a report takes
    those of the task of its name that ships with the package, where there is one.

    Args:
        values: as its file holds them.

    Raises:
        RecordError: as `task_from_dict`.
    """
    task = task_from_dict(values)
    if not (FOLDER / f"{task.name}.toml").is_file():
        return task
    shipped = load_task(task.name)
    missing: dict[str, Any] = {} if task.modalities else {"modalities": shipped.modalities}
    if "assessment" not in task.model_fields_set:
        missing["assessment"] = shipped.assessment
    if "report" not in task.model_fields_set and task.descriptors == shipped.descriptors:
        missing["report"] = shipped.report
    return task.model_copy(update=missing)


def task_from_dict(values: dict[str, Any]) -> Task:
    """Build a task from plain values, as a TOML file or a bundle's manifest holds them.

    Raises:
        RecordError: if a field is missing, unknown or contradictory.
    """
    try:
        return Task.model_validate(values)
    except ValidationError as error:
        raise RecordError(f"a task must follow the schema: {first_fault(error, 'task')}") from error
