"""Rendering of scenarios: Jinja over drawn parameters, sandboxed and strict, with truths left for later.

A scenario is rendered twice. When an intent is written, everything is known but the *truths*, which the seed computes in the
workspace: they stay as marks (`{{ truth.total }}`), and `settle` puts the values in once a workspace has been seeded.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from ise_assets.intent.models import Param, Task

HOME = "/home/user"
USER = "user"
_MARK = re.compile(r"\{\{ truth\.([a-z_0-9]+)(\|re)? \}\}")


class TemplateError(ValueError):
    """A template cannot be rendered; the message names the text and the reason."""


class _Mark(str):
    """A truth that is not known yet; filters that change text are recorded in the mark."""


class _Truths:
    def __getattr__(self, name: str) -> _Mark:
        if name.startswith("_"):
            raise AttributeError(name)
        return _Mark("{{ truth." + name + " }}")


def _re_filter(value: Any) -> str:
    """Escapes a value for use inside a regular expression."""
    if isinstance(value, _Mark):
        return _Mark(value[:-3] + "|re }}")
    return re.escape(str(value))


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["re"] = _re_filter
    return environment


_ENVIRONMENT = _environment()
_NAME = re.compile(r"\{\{ *([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?: *\| *re)?) *\}\}")


@lru_cache(maxsize=8192)
def _compiled(text: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(text)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a template puts in a value: `name`, then `keys` one after the other, escaped for a regular expression or not."""

    name: str
    keys: tuple[str, ...]
    escaped: bool


@lru_cache(maxsize=8192)
def _plain(text: str) -> tuple[str | _Place, ...] | None:
    """Text and places in turn, where a template does nothing but put in values (nearly all do); else None."""
    parts: list[str | _Place] = []
    for number, part in enumerate(_NAME.split(text)):
        if number % 2:
            path, bar, _ = part.partition("|")
            name, *keys = path.strip().split(".")
            parts.append(_Place(name, tuple(keys), bool(bar)))
        elif any(mark in part for mark in ("{{", "{%", "{#", "}}")):
            return None
        else:
            parts.append(part)
    return tuple(parts)


def _filled(parts: tuple[str | _Place, ...], context: Mapping[str, Any]) -> str | None:
    """The text, or None where a name is not simply there: Jinja says then what is wrong."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if part.name not in context:
            return None
        value = context[part.name]
        for key in part.keys:
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, _Truths):
                value = getattr(value, key)
            else:
                return None
        texts.append(_re_filter(value) if part.escaped else str(value))
    return "".join(texts)


def render(value: Any, context: Mapping[str, Any]) -> Any:
    """`value` with every string in it rendered over `context`; lists and mappings are walked.

    Raises:
        TemplateError: a name is unknown or the syntax is wrong.
    """
    if isinstance(value, str):
        if "{{" not in value and "{%" not in value:
            return value
        parts = _plain(value)
        if parts is not None and (filled := _filled(parts, context)) is not None:
            return filled
        try:
            return _compiled(value).render(context)
        except jinja2.TemplateError as error:
            raise TemplateError(f"{error} in template {value[:120]!r}") from error
    if isinstance(value, Mapping):
        return {key: render(item, context) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [render(item, context) for item in value]
    return value


def settle(value: Any, truths: Mapping[str, Any]) -> Any:
    """`value` with the marks of truths replaced by what the seed has computed.

    Raises:
        TemplateError: the seed has not given a truth that is asked for.
    """
    if isinstance(value, str):

        def known(match: re.Match[str]) -> str:
            name, escaped = match.group(1), match.group(2)
            if name not in truths:
                raise TemplateError(f"the seed gave no truth {name!r}; it gave: {', '.join(sorted(truths)) or 'none'}")
            return re.escape(str(truths[name])) if escaped else str(truths[name])

        return _MARK.sub(known, value)
    if isinstance(value, Mapping):
        return {key: settle(item, truths) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [settle(item, truths) for item in value]
    return value


def draw(params: Mapping[str, Param], rng: random.Random) -> dict[str, Any]:
    """Values for a scenario's parameters, in the order declared; a pure function of the RNG's state."""
    drawn: dict[str, Any] = {}
    for name, param in params.items():
        if param.choice is not None:
            drawn[name] = render(rng.choice(param.choice), drawn)
        elif param.sample is not None:
            count = int(render(str(param.sample.k), drawn))
            drawn[name] = render(rng.sample(param.sample.of, count), drawn)
        elif param.int_ is not None:
            low, high = (int(render(str(bound), drawn)) for bound in param.int_)
            drawn[name] = rng.randint(low, high)
        elif param.float_ is not None:
            bottom, top = (float(render(str(bound), drawn)) for bound in param.float_)
            drawn[name] = round(rng.uniform(bottom, top), 2)
        else:
            drawn[name] = render(param.text, drawn)
    return drawn


def context_of(task: Task, params: Mapping[str, Any], root: str, ports: Mapping[str, int]) -> dict[str, Any]:
    """What a scenario's templates see: parameters, facts, `root`, `home`, `user`, `ports`, and marks for `truth`."""
    context: dict[str, Any] = {
        **params,
        "params": dict(params),
        "root": root,
        "home": HOME,
        "user": USER,
        "ports": dict(ports),
        "truth": _Truths(),
    }
    for name, fact in task.facts.items():
        context[name] = render(fact.value, context)
    return context
