"""Extended descriptions by rules: the short text, more sentences on the case, terms explained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from jomed_app.data.wording.glossary import GLOSSARY

SHORT_TEXT = 2  # words; a text of at most these may grow to SHORT_TEXT_LIMIT words
SHORT_TEXT_LIMIT = 20

_ENDED = re.compile(r"[.!?:;…][\"')\]]*$")
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[]?[A-Z0-9])")
_LIST_MARK = re.compile(r"^(?:[•*–-]|\(?\d{1,2}[.)])\s+")
_ABBREVIATIONS = ("e.g.", "i.e.", "vs.", "approx.", "cf.", "al.", "dr.", "fig.", "st.")


def extend_description(text: str, more: Sequence[str] = ()) -> str:
    """Word the same case at greater length, at most twice as long, by rules alone.

    Source: arXiv:2410.02615 (LoGra-Med) aligns an image with a description and its extension.
    Ours: LoGra-Med asks a language model of an outside service for the extension; we add
    sentences that are known of the case, then explain terms from our own glossary.

    First come the sentences of `more`, in order, then glosses of the terms in `text`, in order of
    appearance. A sentence is added whole or, where it does not fit or says what already stands
    there, passed over. Additions to a text without an end mark stand in brackets, so that no word
    of it changes. The same arguments always give the same result.

    Args:
        text: the short description; a word is a run of characters without white space.
        more: one sentence each; an end mark is set where there is none.

    Returns:
        Every word of `text` in its order, then the additions: at most twice the words of `text`,
        or 20 if it has no more than two. `text` itself if nothing fits.

    Example:
        >>> extend_description("Oval hypoechoic mass in the left breast, soft.")
        'Oval hypoechoic mass in the left breast, soft. Hypoechoic means darker than the tissue \
around it.'
    """
    length = len(text.split())
    room = (SHORT_TEXT_LIMIT if length <= SHORT_TEXT else 2 * length) - length
    added: list[str] = []
    said = _plain(text)
    for sentence in [*more, *_explanations(text)]:
        sentence = end_sentence(sentence)
        content, cost = _plain(sentence), len(sentence.split())
        if not content.strip() or content in said or cost > room:
            continue
        added.append(sentence)
        said += content
        room -= cost
    if not added:
        return text
    if not text.strip():
        return " ".join(added)
    form = "{} {}" if _ENDED.search(text.rstrip()) else "{} ({})"
    return form.format(text.rstrip(), " ".join(added))


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences, each on one line and with an end mark; list marks go.

    Ours: a new line starts a sentence unless it goes on in lower case; a few abbreviations do not
    end one.
    """
    blocks: list[str] = []
    for line in text.replace("•", "\n• ").splitlines():
        line = " ".join(line.split())
        if line and line[0].islower() and blocks:
            blocks[-1] += " " + line
        elif line := _LIST_MARK.sub("", line):
            blocks.append(line)
    sentences: list[str] = []
    for block in blocks:
        whole = ""
        for piece in _BETWEEN_SENTENCES.split(block):
            whole = f"{whole} {piece}".strip()
            if not whole.casefold().endswith(_ABBREVIATIONS):
                sentences.append(end_sentence(whole))
                whole = ""
        if whole:
            sentences.append(end_sentence(whole))
    return [sentence for sentence in sentences if _plain(sentence).strip()]


def end_sentence(text: str) -> str:
    """Return the text on one line, with a period where it has no end mark; empty stays empty."""
    text = " ".join(text.split())
    return text if not text or _ENDED.search(text) else text.rstrip(",–-") + "."


def shorten_sentences(sentences: Sequence[str], limit: int) -> str:
    """Join the first sentences, as many whole ones as stay within a number of words.

    Ours: where whole sentences would leave more than half of the limit empty and something is
    cut, the cut falls at a word, marked by "...".

    Args:
        sentences: whole sentences, in order.
        limit: most words of the result, at least 1.

    Returns:
        At most `limit` words; empty without sentences.
    """
    words = " ".join(sentences).split()
    if len(words) <= limit:
        return " ".join(words)
    kept = 0
    for sentence in sentences:
        length = len(sentence.split())
        if kept + length > limit:
            break
        kept += length
    if 2 * kept >= limit:
        return " ".join(words[:kept])
    return " ".join(words[:limit]).rstrip(".,;:–-") + "..."


def _explanations(text: str) -> list[str]:
    """One sentence per glossary term in the text, in order; a longer term hides those inside."""
    names = {term.casefold(): term for term in GLOSSARY}
    terms = dict.fromkeys(names[found.casefold()] for found in _term_pattern().findall(text))
    return [f"{term[0].upper()}{term[1:]} means {GLOSSARY[term]}." for term in terms]


@lru_cache(maxsize=1)
def _term_pattern() -> re.Pattern[str]:
    """Finds any term as a whole word, the longest first; pairs of case are ASCII ones only."""
    longest_first = sorted(GLOSSARY, key=lambda term: (-len(term), term))
    forms = (
        re.escape(term) if term.isupper() else f"(?ai:{re.escape(term)})" for term in longest_first
    )
    return re.compile(rf"(?<!\w)({'|'.join(forms)})s?(?!\w)")


def _plain(text: str) -> str:
    """Lower-case words without marks, a space before and after each: for 'is it contained'."""
    return "".join(f" {word} " for word in re.findall(r"\w+", text.casefold()))
