"""The default threshold on the labelled near-duplicates. The whole set is measured by near_duplicates.py (docs/intents.md)."""

from __future__ import annotations

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.settings import Settings
from ise_assets_tests.intent.near_duplicates import DUPLICATES, EACH, cosines, load, pairs, quality


def test_there_are_as_many_of_each_kind_and_their_labels_are_those_of_their_making() -> None:
    found = load()
    for kind in ("reworded", "retold", "redrawn", "other"):
        of_kind = [pair for pair in found if pair["kind"] == kind]
        assert len(of_kind) == EACH
        assert {pair["duplicate"] for pair in of_kind} == {kind in DUPLICATES}


def test_a_pair_is_made_the_same_way_each_time() -> None:
    people = [persona for path in list_files(SHIPPED_LISTS) for persona in read_persona_list(path).personas]
    made, again = pairs(people, load_catalog()), pairs(people, load_catalog())
    assert [next(made) for _ in range(8)] == [next(again) for _ in range(8)]


def test_the_default_threshold_drops_no_intent_of_another_workspace() -> None:
    found = [pair for pair in load() if pair["kind"] != "other"][::10]
    threshold = Settings.model_fields["duplicate_threshold"].default
    precision, recall = quality(found, cosines(found), threshold)
    assert precision >= 0.9
    assert recall > 0
