"""How far a turn's manner is from the person's own, and whether it takes up what happened; from the surface of the text alone."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)|\n+")
_CONTRACTION = re.compile(r"\b\w+['’](?:s|re|ve|ll|d|t|m)\b", re.IGNORECASE)
_FORMAL = re.compile(
    r"\b(?:kindly|shall|hereby|therefore|regard\w*|obliged|grateful|request\w*|furthermore|should be|would you be|may i|sincerely|ensure)\b",
    re.IGNORECASE,
)
_WARM = re.compile(r"[!\u263a-\u27bf\U0001f300-\U0001faff]|\b(?:haha|hehe|oh|yay|ugh|phew|hmm?|so+)\b", re.IGNORECASE)
_PLAIN_WORDS = frozenset(
    [
        "the",
        "and",
        "that",
        "this",
        "with",
        "for",
        "you",
        "your",
        "have",
        "has",
        "had",
        "are",
        "was",
        "were",
        "from",
        "they",
        "them",
        "then",
        "than",
        "what",
        "when",
        "which",
        "please",
        "thanks",
        "thank",
        "good",
        "would",
        "could",
        "should",
        "will",
        "can",
        "not",
        "but",
        "all",
        "one",
        "more",
        "now",
        "next",
        "last",
        "check",
        "it's",
        "i'm",
        "there",
        "here",
        "just",
        "also",
        "some",
        "into",
        "about",
        "once",
    ]
)


def manner(text: str) -> tuple[float, ...]:
    """Six features in [0, 1]: length of sentences and words, small initials, contractions, formal phrases, warmth."""
    words = _WORD.findall(text)
    sentences = [part.strip() for part in _SENTENCE.split(text) if part.strip()]
    if not words or not sentences:
        return (0.0,) * 6
    per_sentence = len(words) / len(sentences)
    small = sum(sentence[0].islower() for sentence in sentences) / len(sentences)
    return (
        min(1.0, per_sentence / 25),
        min(1.0, sum(map(len, words)) / len(words) / 8),
        small,
        min(1.0, 8 * len(_CONTRACTION.findall(text)) / len(words)),
        min(1.0, 12 * len(_FORMAL.findall(text)) / len(words)),
        min(1.0, 8 * len(_WARM.findall(text)) / len(words)),
    )


def distance(own: str, turn: str) -> float:
    """How far the manner of `turn` is from that of `own`, a sample of the person's writing: 0 (the same) to 1."""
    pairs = zip(manner(own), manner(turn), strict=True)
    return sum(abs(one - other) for one, other in pairs) / 6


def takes_up(turn: str, happened: str) -> bool:
    """Whether `turn` shares a word of four letters or more, or a number, with what happened; words that anybody uses do not count."""
    return bool(_content(turn) & _content(happened))


def _content(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text) if len(word) >= 4}
    return (words - _PLAIN_WORDS) | set(re.findall(r"\d{2,}", text))
