"""Phrasing: how each register joins a persona's situation with a request, read from `catalog/voices.yaml`."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ise_assets.intent.models import REGISTERS, Persona, Register
from ise_assets.settings import PACKAGE

SLOTS = frozenset(
    ("s", "quoted", "aim", "next", "next2", "e", "e2", "E", "role", "a_role", "industry", "name", "first")
)
_FIRST_PERSON = re.compile(r"\b(I|[Mm]y|[Ww]e|[Oo]ur|me|[Uu]s|mine|ours)\b")
_TITLES = frozenset(("dr", "dra", "prof", "sir", "dame", "sister", "brother", "mr", "mrs", "ms", "ma", "fr", "rev"))
_SAID_AN = re.compile(r"[aeio]|u(?!ni|se|ti|ro)|hour|heir|hono", re.I)
_SAID_AN_AS_LETTER = re.compile(r"[AEFHILMNORSX]")

Frames = tuple[str, ...]


class Voice(BaseModel):
    """The frames of one register, by what they are for; their slots are those of the file's head."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Frames = Field(min_length=1)
    note: Frames = Field(min_length=1)
    bridge: Frames = Field(min_length=1)
    after: Frames = Field(min_length=1)
    next: Frames = Field(min_length=1)
    care: Frames = Field(min_length=1)
    sign: Frames = Field(min_length=1)

    @field_validator("*")
    @classmethod
    def _known_slots(cls, frames: Frames) -> Frames:
        for frame in frames:
            if unknown := slots_of(frame) - SLOTS:
                raise ValueError(f"{frame!r}: no such slot: {', '.join(sorted(unknown))}")
        return frames


@cache
def voices() -> dict[Register, Voice]:
    """The voice of each register."""
    body = yaml.safe_load((PACKAGE / "catalog" / "voices.yaml").read_text(encoding="utf-8"))
    return {register: Voice.model_validate(body[register]) for register in REGISTERS}


@cache
def slots_of(frame: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(name for _, name, _, _ in Formatter().parse(frame) if name is not None)


def speaks_for_itself(situation: str) -> bool:
    """Whether a `work_context` is put in the person's own words ("I run ...", "Our ward ...") and so can be said by them."""
    return bool(_FIRST_PERSON.search(situation))


def first_name(persona: Persona) -> str:
    """What the person signs with among equals."""
    words = [word for word in persona.name.split() if word.rstrip(".").lower() not in _TITLES]
    return words[0] if words else persona.name


def with_article(role: str) -> str:
    """`a` or `an` before a role, by its sound: an hourly worker, a university registrar, an IT trainer, a UX researcher."""
    word = re.match(r"[A-Za-z]*", role)
    letters = word.group() if word else ""
    spelt = len(letters) > 1 and letters.isupper()
    return f"{'an' if (_SAID_AN_AS_LETTER if spelt else _SAID_AN).match(role) else 'a'} {role}"


def within_sentence(title: str) -> str:
    """A role or an industry as it stands inside a sentence: `Software Engineer` loses its capitals, `Nollywood producer` and
    `IT trainer` keep theirs."""
    words = title.split()
    titled = all(word[0].isupper() for word in words if len(word) > 3)
    return " ".join(word if word.isupper() or not titled else word.lower() for word in words)


def lower_first(text: str) -> str:
    """The text from within a sentence: its first letter small, unless it begins with an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
