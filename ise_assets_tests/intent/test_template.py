"""Templates are strict and sandboxed; truths stay marks until a workspace knows them."""

import random
from collections.abc import Iterator

import pytest

from ise_assets.intent import template
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import Param
from ise_assets.intent.template import TemplateError, _Truths, context_of, draw, render, settle


def test_truths_stay_marks_and_are_settled_later() -> None:
    marked = render(
        {"pattern": "^{{ truth.total|re }}$", "rows": ["{{ truth.name }} {{ x }}"]}, {"truth": _Truths(), "x": 1}
    )
    assert marked == {"pattern": "^{{ truth.total|re }}$", "rows": ["{{ truth.name }} 1"]}
    assert settle(marked, {"total": "3.5", "name": "Ada"}) == {"pattern": r"^3\.5$", "rows": ["Ada 1"]}


def test_a_truth_that_the_seed_did_not_give_is_named() -> None:
    with pytest.raises(TemplateError, match="no truth 'total'"):
        settle("{{ truth.total }}", {"other": 1})


@pytest.mark.parametrize("text", ["{{ nobody }}", "{{ ''.__class__.__mro__ }}", "{% if %}"])
def test_what_is_unknown_unsafe_or_broken_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text, {})


def test_parameters_are_drawn_in_order_and_may_refer_to_earlier_ones() -> None:
    params = {
        "n": Param.model_validate({"int": [5, 9]}),
        "k": Param.model_validate({"int": [1, "{{ n - 3 }}"]}),
        "names": Param.model_validate({"sample": {"of": ["a", "b", "c"], "k": 2}}),
        "slug": Param.model_validate({"text": "{{ names[0] }}-{{ n }}"}),
    }
    for seed in range(50):
        drawn = draw(params, random.Random(seed))
        assert drawn == draw(params, random.Random(seed))
        assert 1 <= drawn["k"] <= drawn["n"] - 3
        assert drawn["slug"] == f"{drawn['names'][0]}-{drawn['n']}"
        assert len(set(drawn["names"])) == 2


def test_values_put_in_without_jinja_are_those_that_jinja_puts_in() -> None:
    context = {"a": 1, "b": {"c": [1, "x"], "d": {"e": None}}, "truth": template._Truths(), "ports": {"web": 8000}}
    for text in ("{{ a }}", "{{a}} and {{ b.c }}", "{{ b.d.e }}", "{{ truth.sum }}/{{ ports.web }}", "{{ b }}"):
        parts = template._plain(text)
        assert parts is not None
        assert template._filled(parts, context) == template._compiled(text).render(context)


@pytest.mark.parametrize("text", ["{{ b.items }}", "{{ b.none }}", "{{ a.real }}", "{{ gone }}"])
def test_a_name_that_is_not_simply_there_is_left_to_jinja(text: str) -> None:
    parts = template._plain(text)
    assert parts is not None
    assert template._filled(parts, {"a": 1, "b": {"c": 2}}) is None


def test_every_text_of_the_catalogue_is_rendered_as_jinja_renders_it() -> None:
    compared = 0
    for task in load_catalog().values():
        params = draw(task.params, random.Random(task.name))
        context = context_of(task, params, "/home/user/x", dict.fromkeys(task.ports, 8000))
        for text in _texts(task.model_dump(mode="json", include={"aim", "subgoals", "acceptance", "guards", "seed"})):
            parts = template._plain(text)
            if "{{" in text and parts is not None and (filled := template._filled(parts, context)) is not None:
                assert filled == template._compiled(text).render(context)
                compared += 1
    assert compared > 1_500


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
