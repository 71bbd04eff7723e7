"""Prompt texts: how a query and a candidate are put into words.

A row reads: query image, question, then one candidate (image, label, passage), then the answer.
Source: arXiv:2508.17394 reads one candidate at a time, candidate first.
Ours: the query comes first, so that the part all candidates share is computed once.
"""

from __future__ import annotations

IMAGE_SLOT = "<image>"
DESCRIBE_QUESTION = "Describe the image."
SAME_QUESTION = "Do the query and the reference have the same diagnosis?"
NO_REFERENCE = "Reference: none."


def query_text(question: str) -> str:
    """Text all rows of one query share."""
    return f"Query: {IMAGE_SLOT} {question}\n"


def candidate_text(label: str, passage: str) -> str:
    """Text of one candidate: its image, its known diagnosis and its passage."""
    return f"Reference: {IMAGE_SLOT} {label}. {passage}".rstrip()


def location_token(bin_index: int) -> str:
    """Name of a location token."""
    return f"<loc_{bin_index:02d}>"


def location_tokens(num_bins: int) -> list[str]:
    """All location tokens, low to high."""
    return [location_token(index) for index in range(num_bins)]
