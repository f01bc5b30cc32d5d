"""The sampler is a pure function of its seed, and its marginals are the table's."""

from collections import Counter

import pytest
from scipy.stats import chisquare

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import DOMAINS, content_hash
from ise_assets.intent.sampler import (
    DOMAIN_SHARE,
    TASK_SHARE,
    TIER_SHARE,
    Frame,
    SamplingError,
    instantiate,
    sample_frame,
    sample_tasks,
)

FRAMES = [sample_frame(7, content_hash("p", number), 0) for number in range(6000)]


def assert_fits(counts: Counter, shares: dict) -> None:
    total = sum(counts.values())
    keys = sorted(shares)
    assert set(counts) <= set(keys)
    assert chisquare([counts[key] for key in keys], [shares[key] * total for key in keys]).pvalue > 0.001


def test_tiers_follow_their_prior() -> None:
    assert_fits(Counter(frame.tier for frame in FRAMES), TIER_SHARE)


@pytest.mark.parametrize("tier", list(TIER_SHARE))
def test_counts_of_tasks_and_domains_follow_the_table(tier: str) -> None:
    frames = [frame for frame in FRAMES if frame.tier == tier]
    assert_fits(Counter(frame.task_count for frame in frames), TASK_SHARE[tier])
    assert_fits(Counter(len(frame.domains) for frame in frames), DOMAIN_SHARE[tier])


def test_means_are_those_of_ise() -> None:
    assert sum(len(frame.domains) for frame in FRAMES) / len(FRAMES) == pytest.approx(2.35, abs=0.05)
    assert sum(frame.task_count for frame in FRAMES) / len(FRAMES) == pytest.approx(4.40, abs=0.08)


def test_primary_domains_are_uniform() -> None:
    assert_fits(Counter(frame.domains[0] for frame in FRAMES), dict.fromkeys(DOMAINS, 0.1))


def test_the_same_seed_gives_the_same_frame_and_another_seed_another() -> None:
    assert sample_frame(7, "p", 0) == sample_frame(7, "p", 0)
    assert sample_frame(7, "p", 0).intent_id != sample_frame(8, "p", 0).intent_id != sample_frame(7, "p", 1).intent_id


def test_no_intent_has_fewer_tasks_than_domains() -> None:
    assert all(frame.task_count >= len(frame.domains) for frame in FRAMES)


def test_a_domain_without_scenarios_is_named() -> None:
    frame = Frame("i", "p", "simple", ("file-io", "multimedia"), 2)
    only = {name: task for name, task in load_catalog().items() if task.domain == "file-io"}
    with pytest.raises(SamplingError, match="multimedia"):
        sample_tasks(frame, only)


def test_instances_share_no_directory_and_no_port() -> None:
    tasks = list(load_catalog().values())
    instances = instantiate(Frame("i", "p", "complex", ("file-io",), len(tasks)), tasks)
    roots = [instance.root for instance in instances]
    ports = [port for instance in instances for port in instance.ports.values()]
    assert len(set(roots)) == len(roots)
    assert len(set(ports)) == len(ports)
    assert instances == instantiate(Frame("i", "p", "complex", ("file-io",), len(tasks)), tasks)


@pytest.mark.parametrize(
    "wanted", [["work", "work/app"], ["work/app", "work"], ["work", "work", "work/app", "work/app"]]
)
def test_no_directory_lies_in_another(wanted: list[str]) -> None:
    scenarios = list(load_catalog().values())
    tasks = [scenario.model_copy(update={"root": root}) for scenario, root in zip(scenarios, wanted, strict=False)]
    roots = [instance.root for instance in instantiate(Frame("i", "p", "simple", ("file-io",), len(tasks)), tasks)]
    assert [(one, other) for one in roots for other in roots if other.startswith(f"{one}/")] == []
    assert len(set(roots)) == len(roots)
