"""Templates are strict and sandboxed; truths stay marks until a workspace knows them."""

import random

import pytest

from ise_assets.intent.models import Param
from ise_assets.intent.template import TemplateError, _Truths, draw, render, settle


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
