"""SLAKE (English) -> case records: CT, MRI and X-ray images, passages made of their questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import image_size, read_set_table
from jomed_app.data.wording.extended import end_sentence, extend_description, shorten_sentences
from jomed_app.data.wording.questions import group_questions

SLAKE_FOLDER = "slake"
QUESTIONS_FILE = "slake_qa_en.parquet"
PASSAGE_WORDS = 40
SLAKE_SPLITS = {"validation": "val"}

_IMAGE_FIELDS = frozenset({"image", "split", "modality"})
_QUESTION_FIELDS = frozenset({"image", "split", "question", "answer", "answer_type"})

# How early a statement comes in a passage. A plain "no" on ACQUISITION or ANATOMY comes LAST.
_ACQUISITION, _ABNORMALITY, _ANATOMY, _LAST = range(4)

# Dropped from a question: phrases that only point at the picture, then the choices it offers.
_POINTING = re.compile(
    r" (?:in|of|on|about) (?:this|the) (?:image|picture|patient|body)(?=[ ,]|$)", re.IGNORECASE
)
_CAPITALS = re.compile(r"[A-Z][A-Z0-9]+$")
_CHOICES = re.compile(r"\s*,.* or .*$")
_SPELLING = {"brian": "brain", "u-shaped": "U-shaped", "x-ray": "X-ray"}

_FINDING = (
    "abnormalit|disease|edema|tumor|cancer|mass|nodule|pneumonia|atelectasis|effusion|"
    "infiltration|cardiomegaly|pneumothorax"
)
_IS = r"(?:is/are|are/is|is|are|do|does)"

# (rank, question, statement for yes, statement for no); {a}, {b}: what the question's groups
# hold, {is} and {looks}: the verb that goes with {a}. The first rule that fits counts.
_CLOSED_RULES = (
    (_ACQUISITION, rf"{_IS} this (?:an? )?(sagittal|coronal|transverse) (?:plane|section)",
     "Plane: {a}.", "The plane is not {a}."),
    (_ACQUISITION, rf"{_IS} this (?:image taken via|an?) (ct|mri|x-ray)(?: scan| image)?",
     "Modality: {a}.", "The modality is not {a}."),
    (_ACQUISITION, rf"{_IS} this an mri(?: image| scan)? with (t\d) weight(?:ed|ing)",
     "MRI weighting: {a}.", "The MRI weighting is not {a}."),
    (_ACQUISITION, r"(?:is this a study of|do the organs exist in) (?:the )?(.+)",
     "Body part: {a}.", "The body part is not the {a}."),
    (_ABNORMALITY, rf"{_IS} (?:the |this )?(.+?) (?:look )?(?:un|not )(?:healthy|normal)"
     rf"|{_IS} (?:the |this )?(.+?) (?:look )?abnormal",
     "The {a} {looks} abnormal.", "The {a} {looks} normal."),
    (_ABNORMALITY, rf"{_IS} (?:the |this )?(.+?) (?:look )?(?:healthy|normal)(?: appearing)?",
     "The {a} {looks} normal.", "The {a} {looks} abnormal."),
    (_ABNORMALITY, rf"{_IS} (?:the )?(.+?) enhancing",
     "The {a} {is} enhancing.", "The {a} {is} not enhancing."),
    (_ANATOMY, r"do any of the organs belong to (?:the )?(.+)",
     "Organs of the {a} are seen.", "No organs of the {a} are seen."),
    (_ANATOMY, r".*contain the (organ|tissue) (?:that could be used for|(?:which|that) has the "
     r"effect of) (.+)", "{a} for {b} is seen.", "No {a} for {b} is seen."),
    (_ANATOMY, rf".*contain the (organ|tissue) (.+)|{_IS} there (?:any |some )?(organs) (.+)",
     "{a} {b} {is} seen.", "No {a} {b} {is} seen."),
    (_ABNORMALITY, rf"(?:can|{_IS} there|{_IS} th(?:e|is) patient have|does the picture contain) "
     rf"(?:(?:an?|any|the|evidence of) )*((?:[\w-]+ )*(?:{_FINDING})\w*)(?: be observed)?"
     r"( (?:in|on) .+)?", "{a} {is} seen{b}.", "No {a} {is} seen{b}."),
    (_ANATOMY, rf"(?:{_IS} there|does the picture contain) (?:an? |any |the )?(.+)"
     rf"|{_IS} (?:the )?(.+) (?:appear|exist)", "{a} {is} seen.", "No {a} {is} seen."),
)  # fmt: skip

# (rank, question, subject); the statement is "SUBJECT: ANSWER."
_OPEN_RULES = (
    (_ACQUISITION, r".*\b(?:weight(?:ed|ing)|type of mri)\b.*", "MRI weighting"),
    (_ACQUISITION, r".*\bplane\b.*", "Plane"),
    (_ACQUISITION, r".*\bmodality\b.*|how was .* taken|what type of medical image.*", "Modality"),
    (_ACQUISITION, r"which part (?:of the human body|does this image|do the organs).*"
     r"|where does .*|(?:what|which).* organ system (?:is|visualized).*", "Body part"),
    (_ABNORMALITY, rf"(?:what|which) diseases? {_IS} (?:included|shown)( (?:on|in|about) .+)?",
     "Disease{a}"),
    (_ABNORMALITY, r"how many kinds of abnormalities.*", "Kinds of abnormalities"),
    (_ABNORMALITY, r"which (.+) is (abnormal|normal)", "{b} {a}"),
    (_ABNORMALITY, r"(?:what|which) part of .+ is (?:the )?(.+?) located(?: in)*",
     "Location of the {a}"),
    (_ABNORMALITY, rf"where {_IS} (?:the )?(abnormality|(?:[\w-]+ )*(?:{_FINDING}))"
     r"(?: located| existing)?(?: in .+)?", "Location of the {a}"),
    (_ABNORMALITY, rf"where {_IS} (?:the )?abnormalities(?: located)?",
     "Location of the abnormality"),
    (_ABNORMALITY, rf"what density {_IS} (?:the )?(.+)|is (?:the )?(.+) hyperdense or hypodense",
     "Density of the {a}"),
    (_ABNORMALITY, r"is (?:the )?(.+) white or gr[ae]y.*", "Color of the {a}"),
    (_ANATOMY, rf"(?:where {_IS}|which place does) (?:the )?(.+?)(?: located?| existing)?",
     "Location of the {a}"),
    (_ANATOMY, rf"what (?:is the color of|color {_IS}) (?:the )?(.+?)(?: show)?",
     "Color of the {a}"),
    (_ANATOMY, r"what is the shape of (?:the )?(.+)", "Shape of the {a}"),
    (_ANATOMY, r"how many (?:existing )?(.+?)(?: are(?: there| shown)?| have existed| does .+)?",
     "Number of {a}"),
    (_ANATOMY, r"which is (?:the )?(bigger|biggest|smaller|smallest), (.+)", "{a} of {b}"),
    (_ANATOMY, r"which organs(?:/organ)? appear in pairs", "Paired organs"),
    (_ANATOMY, r"which organs/organ (?:is part of|belong to) (?:the )?(.+)", "Organs of the {a}"),
    (_LAST, r"what is the (?:effect|function) of (?:the )?(.+)"
     r"|what (?:can|role does) (?:the )?(.+?) (?:be used for|play.*)", "Function of the {a}"),
    (_LAST, r"how much damage .*", "Damage by taking such an image"),
    (_LAST, r"how to treat (?:the )?(.+)", "Treatment of the {a}"),
    (_LAST, r"how to prevent (?:the occurrence of )?(?:the )?(.+)", "Prevention of the {a}"),
    (_LAST, r"what is the (?:main )?cause of (?:the )?(.+)", "Cause of the {a}"),
    (_LAST, r"what kind of symptoms will (?:the )?(.+?) bring.*", "Symptoms of the {a}"),
    (_LAST, r"what system does (?:the )?(.+) belong to", "System of the {a}"),
    (_ANATOMY, r"what (organ|tissue) is (?:the )?((?:on|at) .+)", "{a} {b}"),
    (_ANATOMY, r"what (?:organ|tissue) is (?:the )?(.+)|what (?:is|are) the (.+)"
     r"|which (organ) is located (.+)", "{a} {b}"),
    (_ANATOMY, r"which (?:one )?is (?:the )?(.+)", "Appearance of the {a}"),
)  # fmt: skip


def read_slake(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared SLAKE set, one record per image.

    Source: SLAKE, arXiv:2102.09542.
    Ours: the passage states, by rules, what the image's questions and answers say: acquisition
    first, then abnormalities, then anatomy, at most 40 words; the extended passage adds the other
    statements. An image without an answer has its modality as passage. Boxes are those of organs
    and of findings alike; the provenance names each ("box_names", and "box_is_disease" yes or no)
    in the order of the boxes. The table's split "validation" is our "val".

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the table's order.

    Raises:
        RecordError: if a table of the set is not there, unreadable or lacks a field, or if a size
            is neither in the table nor in a readable image.
        BoxError: if a box is empty, inverted or not finite.
    """
    folder, rows = read_set_table(data, SLAKE_FOLDER, f"{SLAKE_FOLDER}.parquet", _IMAGE_FIELDS)
    asked = group_questions(read_slake_questions(data))
    records = []
    for place, row in enumerate(rows.to_dict("records")):
        name, modality = Path(row["image"]).stem, str(row["modality"])
        questions = asked.get(row["image"], ())
        said = state_answers([(one.question, one.answer) for one in questions])
        passage, more = split_statements(said or state_answers([("Modality?", modality)]))
        boxes, about_boxes = _boxes(row)
        height, width = image_size(folder, row, place)
        records.append(
            CaseRecord(
                case_id=f"slake-{name}",
                image=str(row["image"]),
                label=modality,
                passage=passage,
                extended_passage=extend_description(passage, more),
                boxes=boxes,
                group=name,
                split=SLAKE_SPLITS.get(row["split"], row["split"]),
                rows=height,
                columns=width,
                questions=questions,
                provenance={
                    "source": "SLAKE (English questions)",
                    "label_made": "modality as the set names it; not reviewed by us",
                    "passage_made": "by rules from the set's questions and answers",
                    **about_boxes,
                },
            )
        )
    return folder, records


def read_slake_questions(data: Path) -> pd.DataFrame:
    """Read the questions of the prepared SLAKE set.

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        One row per question, in the table's order: image (path relative to the set's folder),
        question, answer (empty where the set has none), answer_type (OPEN or CLOSED), split
        (train or val).

    Raises:
        RecordError: if the table of questions is not there, unreadable or lacks a field.
    """
    _, rows = read_set_table(data, SLAKE_FOLDER, QUESTIONS_FILE, _QUESTION_FIELDS)
    rows = (
        rows[["image", "question", "answer", "answer_type", "split"]]
        .reset_index(drop=True)
        .fillna("")
    )
    return rows.assign(split=rows["split"].replace(SLAKE_SPLITS))


def state_answers(questions: Sequence[tuple[str, str]]) -> list[str]:
    """Say the answers to an image's questions as statements, the weightiest first, none twice.

    Args:
        questions: pairs of question and answer; a pair without an answer says nothing.

    Returns:
        Statements in the order acquisition, abnormalities, anatomy, the rest.
    """
    ranked = [rewrite_answer(question, answer) for question, answer in questions if answer.strip()]
    ordered = [text for _, text in sorted(ranked, key=lambda pair: pair[0])]
    return list({text.casefold(): text for text in reversed(ordered)}.values())[::-1]


def rewrite_answer(question: str, answer: str) -> tuple[int, str]:
    """Rewrite a question and its answer as one statement.

    Ours: rules for the frequent patterns of the set; any other pair becomes "QUESTION ANSWER."

    Args:
        question: in English, with or without its question mark.
        answer: a few words; "Yes" and "No" are answers to closed questions.

    Returns:
        The rank (0 acquisition, 1 abnormality, 2 anatomy, 3 the rest) and the statement.

    Example:
        >>> rewrite_answer("Does the picture contain liver?", "No")
        (3, 'No liver is seen.')
    """
    asked = " ".join(question.replace("patient's ", "").split()).rstrip("? ")
    asked = _POINTING.sub("", asked)
    said = _lower(" ".join(answer.split()).rstrip(". "))
    if said in ("yes", "no"):
        for rank, pattern, yes, no in _CLOSED_RULES:
            if match := re.fullmatch(pattern, asked, re.IGNORECASE):
                is_late = said == "no" and rank != _ABNORMALITY
                return _LAST if is_late else rank, _fill(yes if said == "yes" else no, match)
    else:
        for rank, pattern, subject in _OPEN_RULES:
            compares = "biggest" in pattern
            form = re.sub(r" ?, ?", ", ", asked) if compares else _CHOICES.sub("", asked)
            if match := re.fullmatch(pattern, form, re.IGNORECASE):
                value = re.sub(r" plane\b", "", said) if subject == "Plane" else said
                return rank, _fill(subject, match) + f": {value}."
    return _LAST, end_sentence(f"{question} {answer}")


def _fill(template: str, match: re.Match[str]) -> str:
    """Put the groups of a question into a template, the first letter a capital."""
    parts = [*(_lower(group) for group in match.groups() if group), "", ""]
    is_plural = parts[0].endswith("s") and not parts[0].endswith(("is", "us", "ss", "ax"))
    text = template.format_map(
        {
            "a": parts[0],
            "b": parts[1],
            "is": "are" if is_plural else "is",
            "looks": "look" if is_plural else "looks",
        }
    ).rstrip()
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    """Lower case but for capitals that are a name: CT, T2, X-ray."""
    words = [word if _CAPITALS.match(word) else word.casefold() for word in text.split(" ")]
    return " ".join(_SPELLING.get(word.casefold(), word) for word in words)


def split_statements(statements: Sequence[str]) -> tuple[str, list[str]]:
    """The passage, of the statements that fit one after another, and the statements left over."""
    passage: list[str] = []
    left_over: list[str] = []
    num_words = 0
    for statement in statements:
        length = len(statement.split())
        fits = num_words + length <= PASSAGE_WORDS
        (passage if fits else left_over).append(statement)
        num_words += length if fits else 0
    return " ".join(passage) or shorten_sentences(statements, PASSAGE_WORDS), left_over


def _boxes(
    row: dict[str, Any],
) -> tuple[tuple[tuple[float, float, float, float], ...], dict[str, str]]:
    """The boxes of a row, largest first, and what they enclose in the same order."""
    found = [Box(*map(float, box)) for box in _listed(row, "boxes")]
    order = sorted(range(len(found)), key=lambda place: -found[place].area)
    about: dict[str, str] = {}
    if len(names := _listed(row, "box_names")) == len(found) > 0:
        about["box_names"] = "; ".join(_lower(str(names[place])) for place in order)
    if len(marks := _listed(row, "is_disease")) == len(found) > 0:
        about["box_is_disease"] = "; ".join("yes" if marks[place] else "no" for place in order)
    return tuple(found[place].as_tuple() for place in order), about


def _listed(row: dict[str, Any], field: str) -> list[Any]:
    """The values of a list field; empty where the field or its value is missing."""
    return list(row[field]) if hasattr(row.get(field), "__len__") else []
