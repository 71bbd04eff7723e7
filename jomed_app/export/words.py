"""What exports say in words, on paper, in a table and in a picture alike."""

from __future__ import annotations

from collections import Counter

from jomed_app.inference.conclusion.standing import standing_of
from jomed_app.types import Result, Standing

DISCLAIMER = "Research demo, not a medical device. Not for diagnosis."
STANDING_WORDS = {
    Standing.CONSISTENT: "readings agree",
    Standing.MIXED: "readings agree, with varying confidence",
    Standing.DISAGREE: "READINGS DISAGREE",
    Standing.CONTRADICTED: "KNOWN DIAGNOSES SPEAK AGAINST THE ANSWER",
    Standing.OVERRULED: "NO READING GIVES THE FINAL ANSWER",
    Standing.ABSTAIN: "no result",
}
NO_BOX = "No box above the threshold. This does not mean normal."

PAINTED = "In this picture every line of text that was found is painted over."


def standing(result: Result) -> Standing:
    """Return how a case stands."""
    return standing_of(result.consistency, result.final, result.candidates)


def has_answer(result: Result) -> bool:
    """Whether a final answer is given."""
    return result.final.prediction is not None and not result.final.abstained


def answer_words(result: Result) -> str:
    """Return the final answer with its probability, or that none is given and why."""
    final = result.final
    if final.prediction is None or final.abstained:
        return f"No answer: {final.reason or 'the checks did not pass'}"
    share = final.probabilities.get(final.prediction)
    by = "Answer, moved by the reader" if result.moved else "Answer"
    words = f"{by}: {final.prediction}"
    return words if share is None else f"{words} {share:.2f}"


def moved_words(result: Result) -> str:
    """Return what a reader moved in the sum behind an answer; empty where nothing was."""
    moved = result.moved
    if moved is None:
        return ""
    said = [f"without {name}" for name in moved.removed]
    said += [f"{name} x {factor:.3g}" for name, factor in sorted(moved.factors.items())]
    if moved.image_share is not None:
        said.append(f"image alone {moved.image_share:.0%}")
    return ", ".join(said)


def count_words(counts: Counter[str]) -> str:
    """Return "malignant 3 of 4, benign 1 of 4"; empty without any."""
    total = sum(counts.values())
    return ", ".join(f"{label} {count} of {total}" for label, count in counts.most_common())


def known_words(result: Result) -> str:
    """Return how many of the similar cases are known to be what."""
    return count_words(Counter(each.label for each in result.candidates))


def read_words(result: Result) -> str:
    """Return how often the image, read beside each similar case, was what."""
    return count_words(
        Counter(each.prediction for each in result.candidates if each.prediction is not None)
    )


def cases_words(result: Result) -> str:
    """Return what the similar cases are: of other patients, or made by a simulation."""
    sources = [each.provenance.get("source", "").lower() for each in result.candidates]
    simulated = sum(source.startswith("simulated") for source in sources)
    if simulated == 0:
        return "Similar cases of other patients"
    return f"Similar cases ({'' if simulated == len(sources) else 'some '}simulated)"


def share_words(result: Result) -> str:
    """Return what the answer is made of."""
    final = result.final
    return (
        f"image alone {final.image_head_weight:.0%}, known diagnoses of the nearest "
        f"{final.neighbor_weight:.0%}, read beside similar cases {final.reading_weight:.0%}"
    )
