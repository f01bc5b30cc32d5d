"""Utterances: what the persona types first, given the tuple that was drawn.

The scripted writer composes it from the persona's register, situation and the scenarios' own phrases; a model writes it through
litellm, is checked, and asked again with the reason. Where the model never satisfies, the scripted writer's text is taken and the
fallback recorded.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from ise_assets.intent.models import Persona, Register
from ise_assets.intent.voices import (
    first_name,
    lower_first,
    slots_of,
    speaks_for_itself,
    voices,
    with_article,
    within_sentence,
)
from ise_assets.llm import Ledger, ModelError, Pace, complete
from ise_assets.settings import SCRIPTED_MODEL, Settings

MIN_UTTERANCE_CHARS = 20
MAX_UTTERANCE_CHARS = 1_200
_TOLD, _TOLD_AFTERWARDS = 0.66, 0.22
"""Shares of texts that begin with the person's situation, and that end with it; the rest begins with who they are."""
_QUOTED = 0.5
"""Share of texts that quote a situation which is not in the person's own words; the rest leaves it out."""
_BRIDGED = 0.75
_FURTHER = 0.35
_MINDED = 0.2
_SIGNED: dict[Register, float] = {"terse": 0.06, "plain": 0.12, "chatty": 0.12, "formal": 0.25}
_SMALL_LETTERS = 0.5
"""Share of terse people who begin their sentences with small letters."""

_ASSISTANT_VOICE = re.compile(
    r"\b(as an ai|language model|how (can|may) i (help|assist)|i can help you|let me know if you (need|would)"
    r"|i'd be happy to|i'(ve| have) gone ahead)\b|^(sure|certainly|of course|absolutely|here is (the|an) utterance)\b[,!:]",
    re.I,
)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|[\[<](your|insert|name|path|file|date|company)[^\]>]*[\]>]", re.I)
_URL = r"https?://[^\s'\"]*[\w/]"
_FILE = (
    r"(?<![\w/@.-])[\w-]+\.(?:csv|tsv|json|jsonl|txt|md|log|ya?ml|toml|ini|conf|cfg|html?|xml"
    r"|pdf|docx?|xlsx?|sqlite|db|py|sh|js|zip|tar|gz|png|jpe?g|svg|wav|mp3|mp4|srt|ics|eml)\b"
)
_NAMED = re.compile(rf"{_URL}|(?<![\w/])~?/[\w.@+/-]*[\w]|{_FILE}")
_ENGLISH = re.compile(
    r"the|and|to|are|it|this|that|these|those|with|from|for|please|which|what|who|how|where|when|should|would|could|can|into"
    r"|by|each|every|not|my|your|our|you|have|has|there|be|than|only|but|if|out|about|need|want|get|make|find|tell|put|them"
    r"|they|its|after|before|first"
)
"""Words common in English and rare in its neighbours."""


@dataclass(frozen=True)
class Brief:
    """What a writer is told: the persona, its register, one aim per scenario, and how the first request is put."""

    persona: Persona
    register: Register
    aims: Sequence[str]
    first_ask: str
    facts: Sequence[str]


@dataclass(frozen=True)
class Utterance:
    """The text and who wrote it (`writer_model`; the scripted writer's name where it stood in for a model)."""

    text: str
    writer_model: str


class _Written(BaseModel):
    utterance: str = Field(description="What this person types to their assistant, exactly as they would type it.")


def compose(brief: Brief, variant: str) -> str:
    """The scripted writer's text: a pure function of the brief and `variant`.

    It begins with what is particular: the person's situation, the scenario's request or (one in eight) who the person is. Phrases
    only join these. Of the other aims at most two are mentioned: people ask for one thing at a time, and a
    text about six things is like every other text about six things.
    """
    rng = random.Random(f"utterance {variant}")
    voice, words = voices()[brief.register], _words(brief, rng)

    def phrase(kind: str) -> list[str]:
        frames = [frame for frame in getattr(voice, kind) if slots_of(frame) <= words.keys()]
        return [rng.choice(frames).format(**words)] if frames else []

    told = rng.random()
    afterwards = "s" in words and _TOLD <= told < _TOLD + _TOLD_AFTERWARDS
    if afterwards:
        before, after = [], phrase("after")
    else:
        opening = [words["s"]] if "s" in words and told < _TOLD else phrase("who")
        if "quoted" in words and told < _QUOTED:
            opening = phrase("note")
        before, after = opening + (phrase("bridge") if rng.random() < _BRIDGED else []), []
    further = phrase("next") if rng.random() < _FURTHER else []
    minded = phrase("care") if rng.random() < _MINDED else []
    signed = phrase("sign") if rng.random() < _SIGNED[brief.register] else []
    rest = [after, further, minded]
    rng.shuffle(rest)
    if brief.register == "terse" and random.Random(f"letters {brief.persona.id}").random() < _SMALL_LETTERS:
        before, signed = [_lower_sentences(part) for part in before], [_lower_sentences(part) for part in signed]
        rest = [[_lower_sentences(part) for part in parts] for parts in rest]
    return _fitted(before, brief.first_ask, [part for parts in rest for part in parts] + signed)


def objections(text: str, brief: Brief) -> list[str]:
    """Why a model's utterance cannot be taken; empty when it can."""
    problems = []
    if not MIN_UTTERANCE_CHARS <= len(text) <= MAX_UTTERANCE_CHARS:
        problems.append(f"must have {MIN_UTTERANCE_CHARS} to {MAX_UTTERANCE_CHARS} characters, has {len(text)}")
    if missing := [fact for fact in brief.facts if fact not in text]:
        problems.append(f"must name {', '.join(missing)}")
    known = "\n".join((brief.first_ask, *brief.aims, brief.persona.work_context))
    if invented := [name for name in _NAMED.findall(text) if name not in known]:
        problems.append(f"names paths that do not exist: {', '.join(invented[:3])}")
    if _ASSISTANT_VOICE.search(text):
        problems.append("is in an assistant's voice; it must be the person's")
    if _PLACEHOLDER.search(text.replace(brief.first_ask, "")):
        problems.append("holds a placeholder; every name must be written out")
    if not _is_english(text, brief):
        problems.append("is not in English")
    return problems


def _is_english(text: str, brief: Brief) -> bool:
    """Whether one word in twenty is one of English's commonest, names and paths apart; a few words are not judged."""
    for fact in brief.facts:
        text = text.replace(fact, " ")
    words = re.findall(r"[^\W\d_]+", _NAMED.sub(" ", text).casefold())
    return len(words) < 8 or sum(bool(_ENGLISH.fullmatch(word)) for word in words) >= len(words) / 20


async def write_utterance(
    brief: Brief, variant: str, item_id: str, settings: Settings, ledger: Ledger, pace: Pace
) -> Utterance:
    """The opening message of an intent, by the writer that the settings name.

    A model's text that cannot be taken is asked for again with the reason, `intent_rewrites` times; then, and where the provider
    refuses the content, the scripted writer stands in.

    Raises:
        ModelError, ModelUnavailable: the model cannot be called, or does not answer.
    """
    model = settings.intent_model
    if model == SCRIPTED_MODEL:
        return Utterance(compose(brief, variant), SCRIPTED_MODEL)
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": _prompt(brief)},
    ]
    for _ in range(1 + settings.intent_rewrites):
        await pace.turn()
        try:
            completion = await complete(
                role="intent_writer",
                model=model,
                messages=messages,
                item_id=item_id,
                ledger=ledger,
                response_format=_Written,
                timeout_s=settings.model_timeout_s,
                retries=settings.model_retries,
            )
        except ModelError as error:
            if error.kind != "content_policy":
                raise
            break
        text, problems = _read(completion.text, brief)
        if not problems:
            return Utterance(text, model)
        messages += [
            {"role": "assistant", "content": completion.text or "(nothing)"},
            {"role": "user", "content": f"That does not work: it {'; it '.join(problems)}. Write it again."},
        ]
    return Utterance(compose(brief, variant), stand_in(model))


def stand_in(model: str) -> str:
    """What is recorded as the writer where the scripted one stood in for `model` (or stood in already)."""
    return model if model.startswith(SCRIPTED_MODEL) else f"{SCRIPTED_MODEL} (fallback of {model})"


SYSTEM = """\
You write what a person types to an assistant that works on their computer. Stay in that person's voice and style. Ask for the \
first thing in full, with every name and path as given; mention at most two of the other aims, in passing. Begin with something of \
their own work, not with a greeting. Write English, at most 1,000 characters. Invent no path, file, name or number. \
Reply with JSON: {"utterance": "..."}."""


def _prompt(brief: Brief) -> str:
    persona = brief.persona
    return (
        f"Person: {persona.name}, {persona.role} ({persona.industry}), {persona.experience_level}.\n"
        f"Writes: {persona.communication_style}\nSituation: {persona.work_context}\n"
        f"Wants, in all: {'; '.join(brief.aims)}\nAsks first for: {brief.first_ask}\n"
        f"Must name: {', '.join(brief.facts) or 'nothing in particular'}"
    )


def _read(text: str, brief: Brief) -> tuple[str, list[str]]:
    from pydantic import ValidationError

    body = text.strip()
    if body.startswith("```"):
        body = body.strip("`").removeprefix("json").strip()
    try:
        utterance = _Written.model_validate_json(body).utterance.strip()
    except ValidationError:
        return "", ['is not the JSON asked for, {"utterance": "..."}']
    return utterance, objections(utterance, brief)


def _words(brief: Brief, rng: random.Random) -> dict[str, str]:
    """What the slots of this person's phrases hold; a slot that there is nothing for is missing."""
    persona, aims = brief.persona, list(brief.aims)
    known = rng.sample(persona.expertise, min(2, len(persona.expertise)))
    role = within_sentence(persona.role.split(",")[0])
    situation = persona.work_context.strip()
    if situation[-1] not in ".!?":
        situation += "."
    words = {
        "s" if speaks_for_itself(situation) else "quoted": situation,
        "e": known[0],
        "E": known[0][0].upper() + known[0][1:],
        "role": role,
        "a_role": with_article(role),
        "industry": within_sentence(persona.industry),
        "name": persona.name,
        "first": first_name(persona),
    }
    words.update(zip(("aim", "next", "next2"), aims, strict=False))
    if len(known) > 1:
        words["e2"] = known[1]
    if "quoted" in words:
        words["quoted"] = lower_first(words["quoted"])
    return words


def _fitted(before: Sequence[str], ask: str, after: Sequence[str]) -> str:
    """The parts as one text of at most `MAX_UTTERANCE_CHARS`; what does not fit is left out from the end, never the request."""
    before, after = list(before), list(after)
    while len(text := " ".join([*before, ask, *after])) > MAX_UTTERANCE_CHARS and (before or after):
        (after or before).pop()
    return text


def _lower_sentences(text: str) -> str:
    return re.sub(r"(^|[.!?:]\s+)([A-Z])(?=[a-z])", lambda match: match.group(1) + match.group(2).lower(), text)
