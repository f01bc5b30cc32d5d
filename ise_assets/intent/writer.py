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
from ise_assets.llm import Ledger, complete
from ise_assets.settings import SCRIPTED_MODEL, Settings

MAX_UTTERANCE_CHARS = 1_200
_ATTEMPTS = 3
_ASSISTANT_VOICE = re.compile(
    r"\b(as an ai|how can i (help|assist)|i can help you|let me know if you (need|would)|i'd be happy to|certainly!)",
    re.I,
)
_PATH = re.compile(r"(?<![\w/])~?/[\w.@+/-]*[\w]")

_OPENINGS: dict[Register, tuple[str, ...]] = {
    "terse": (
        "",
        "",
        "need this today:",
        "quick one.",
        "ok.",
        "new batch.",
        "back at it.",
        "two minutes?",
        "on my list:",
    ),
    "plain": (
        "Hello.",
        "Hi.",
        "Morning.",
        "I have some work for you.",
        "Could use a hand here.",
        "Something has come up.",
        "Here is what is on my desk.",
        "I am a bit behind on this.",
        "Let's get these done.",
    ),
    "chatty": (
        "Hey there! Hope your day is going better than mine so far.",
        "Hi hi, me again with a small pile of things.",
        "So, it has been one of those weeks and I could really use you.",
        "Good news, I finally have time to sort this out, and bad news, I need you for it.",
        "Okay so I have been putting this off for ages.",
        "Hey, do you have a moment? Well, you always do, lucky me.",
        "Right, coffee is here, let's do this!",
        "Hello! I promised the others this would be sorted, so here we go.",
    ),
    "formal": (
        "Good morning.",
        "Good afternoon.",
        "I should be grateful for your assistance.",
        "Please find below what I require.",
        "I am writing regarding several items that need attention.",
        "May I ask you to take care of the following.",
        "Thank you in advance for your care with this.",
    ),
}
_WHO: dict[Register, tuple[str, ...]] = {
    "terse": ("", "", "{role} here.", "for {industry_short} stuff."),
    "plain": ("", "I work as {role_article}.", "{context}", "This is for my work in {industry_short}."),
    "chatty": (
        "{context} You can imagine.",
        "I'm {role_article}, so bear with me.",
        "For background: {context_inner}",
        "As {role_article} I really should not be this late with it.",
    ),
    "formal": (
        "I am {role_article} in {industry_short}.",
        "For context: {context_inner}",
        "My name is {name}; I work as {role_article}.",
        "{context}",
    ),
}
_PLANS: dict[Register, tuple[str, ...]] = {
    "terse": ("{aims}.", "todo: {aims}.", "want: {aims}.", "plan: {aims}."),
    "plain": (
        "I need to {aims}.",
        "What has to happen: {aims}.",
        "On the list are these: {aims}.",
        "The goal is to {aims}.",
    ),
    "chatty": (
        "The idea is to {aims}, all in one go if we can.",
        "Basically I want to {aims}.",
        "What I'm hoping is that together we {aims}.",
        "By the end of it I'd love to {aims}.",
    ),
    "formal": (
        "The matters at hand are to {aims}.",
        "I would ask you to {aims}.",
        "It is necessary to {aims}.",
        "My request is to {aims}.",
    ),
}
_CARE: dict[Register, tuple[str, ...]] = {
    "terse": ("", "", "don't break anything.", "no surprises pls.", "one at a time."),
    "plain": (
        "",
        "Leave everything else as it is.",
        "One thing after the other.",
        "Please tell me what you find as you go.",
        "I'd rather have it right than fast.",
    ),
    "chatty": (
        "",
        "No rush, but please be careful with my files, I only have the one copy.",
        "One thing at a time, otherwise I lose track!",
        "And shout if something looks odd, it usually does.",
    ),
    "formal": (
        "",
        "Kindly leave unrelated files untouched.",
        "I would appreciate a brief account of each step.",
        "Please proceed item by item.",
        "Accuracy matters more than speed.",
    ),
}
_FIRST: dict[Register, tuple[str, ...]] = {
    "terse": ("first: {ask}", "start: {ask}", "{ask}", "1st, {ask}"),
    "plain": ("First: {ask}", "Let's start here: {ask}", "{ask}", "To begin with: {ask}"),
    "chatty": ("First up: {ask}", "Can we start with this one? {ask}", "So, to kick off: {ask}"),
    "formal": ("To begin: {ask}", "The first item is as follows. {ask}", "May we start with this: {ask}"),
}


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
    """The scripted writer's text: a pure function of the brief and `variant`."""
    rng = random.Random(f"utterance {variant}")
    persona, register = brief.persona, brief.register
    words = {
        "name": persona.name,
        "role": _lower_first(persona.role),
        "role_article": _with_article(_lower_first(persona.role)),
        "industry_short": persona.industry[0].lower() + persona.industry[1:],
        "context": persona.work_context.rstrip(".") + ".",
        "context_inner": persona.work_context.rstrip(".") + ".",
        "aims": _listed(list(brief.aims), register),
        "ask": brief.first_ask,
    }
    parts = [rng.choice(choices[register]) for choices in (_OPENINGS, _WHO, _PLANS, _CARE, _FIRST)]
    if len(brief.aims) == 1:
        del parts[2]
    text = " ".join(part.format(**words) for part in parts if part)
    return _lower_sentences(text) if register == "terse" else text


def objections(text: str, brief: Brief) -> list[str]:
    """Why a model's utterance cannot be taken; empty when it can."""
    problems = []
    if not 20 <= len(text) <= MAX_UTTERANCE_CHARS:
        problems.append(f"must have 20 to {MAX_UTTERANCE_CHARS} characters, has {len(text)}")
    if missing := [fact for fact in brief.facts if fact not in text]:
        problems.append(f"must name {', '.join(missing)}")
    known = brief.first_ask + " ".join(brief.aims)
    if invented := [path for path in _PATH.findall(text) if path not in known]:
        problems.append(f"names paths that do not exist: {', '.join(invented[:3])}")
    if _ASSISTANT_VOICE.search(text):
        problems.append("is in an assistant's voice; it must be the person's")
    return problems


async def write_utterance(brief: Brief, variant: str, item_id: str, settings: Settings, ledger: Ledger) -> Utterance:
    """The opening message of an intent, by the writer that the settings name."""
    if settings.intent_model == SCRIPTED_MODEL:
        return Utterance(compose(brief, variant), SCRIPTED_MODEL)
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": _prompt(brief)},
    ]
    for _ in range(_ATTEMPTS):
        completion = await complete(
            role="intent_writer",
            model=settings.intent_model,
            messages=messages,
            item_id=item_id,
            ledger=ledger,
            response_format=_Written,
            timeout_s=settings.model_timeout_s,
            retries=settings.model_retries,
        )
        text, problems = _read(completion.text, brief)
        if not problems:
            return Utterance(text, settings.intent_model)
        messages += [
            {"role": "assistant", "content": completion.text},
            {"role": "user", "content": f"That does not work: it {'; it '.join(problems)}. Write it again."},
        ]
    return Utterance(compose(brief, variant), f"{SCRIPTED_MODEL} (fallback of {settings.intent_model})")


SYSTEM = """\
You write what a person types to an assistant that works on their computer. Stay in that person's voice and style. Ask for the \
first thing in full, with every name and path as given; mention the other aims in passing. Invent no path, file, name or number. \
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


def _listed(aims: list[str], register: Register) -> str:
    if register == "terse":
        return ", ".join(aims)
    return aims[0] if len(aims) == 1 else f"{', '.join(aims[:-1])} and {aims[-1]}"


def _lower_first(text: str) -> str:
    return text if text[:2].isupper() else text[0].lower() + text[1:]


def _with_article(role: str) -> str:
    return f"{'an' if role[0] in 'aeiouAEIOU' else 'a'} {role}"


def _lower_sentences(text: str) -> str:
    return re.sub(r"(^|[.!?]\s+)([A-Z])(?=[a-z])", lambda match: match.group(1) + match.group(2).lower(), text)
