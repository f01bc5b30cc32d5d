"""The sampler is a pure function of its seed, and its marginals are the table's."""

from collections import Counter
from itertools import combinations as choose

import pytest
from scipy.stats import chi2_contingency, chisquare

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import DOMAINS, TIERS, Task, content_hash
from ise_assets.intent.sampler import (
    DOMAIN_SHARE,
    TASK_SHARE,
    TIER_SHARE,
    Frame,
    SamplingError,
    combinations,
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


def test_every_domain_is_drawn_alike_at_every_place_and_so_is_every_pair() -> None:
    assert_fits(Counter(domain for frame in FRAMES for domain in frame.domains), dict.fromkeys(DOMAINS, 0.1))
    pairs = [frozenset(pair) for frame in FRAMES for pair in choose(frame.domains, 2)]
    everyone = [frozenset(pair) for pair in choose(DOMAINS, 2)]
    counts = Counter(pairs)
    assert chisquare([counts[pair] for pair in everyone]).pvalue > 0.001


def test_complexity_does_not_depend_on_the_domain() -> None:
    counts = Counter((frame.tier, frame.domains[0]) for frame in FRAMES)
    table = [[counts[tier, domain] for domain in DOMAINS] for tier in TIERS]
    assert chi2_contingency(table).pvalue > 0.001


def test_the_priors_hold_within_the_intents_of_one_person() -> None:
    frames = [sample_frame(7, "ada", k) for k in range(4000)]
    assert len({frame.intent_id for frame in frames}) == len(frames)
    assert_fits(Counter(frame.tier for frame in frames), TIER_SHARE)
    assert_fits(Counter(frame.domains[0] for frame in frames), dict.fromkeys(DOMAINS, 0.1))


def test_the_scenarios_of_a_domain_are_drawn_alike() -> None:
    """With one subgoal each, so that no draw is thrown back for being too long a conversation."""
    catalog = {
        name: task.model_copy(update={"subgoals": task.subgoals[:1]}) for name, task in some_of_each_domain(3).items()
    }
    drawn = [sample_tasks(frame, catalog) for frame in FRAMES]
    for place in (lambda tasks: tasks[:1], lambda tasks: tasks):
        counts = Counter(task.name for tasks in drawn for task in place(tasks))
        for domain in DOMAINS:
            of_domain = [counts[name] for name, task in catalog.items() if task.domain == domain]
            assert chisquare(of_domain).pvalue > 0.0005, domain


def test_the_number_of_combinations_is_that_of_counting_them_one_by_one() -> None:
    template = next(iter(load_catalog().values()))
    sizes = {("file-io", TIERS): 3, ("multimedia", ("medium", "complex")): 2, ("agent-memory", ("complex",)): 2}
    catalog = {
        f"{domain}-{number}": template.model_copy(
            update={"name": f"{domain}-{number}", "domain": domain, "tiers": tiers}
        )
        for (domain, tiers), size in sizes.items()
        for number in range(size)
    }
    one_by_one = 0
    for tier in TIERS:
        fit = [task for task in catalog.values() if tier in task.tiers]
        for count in TASK_SHARE[tier]:
            spanned = (len({task.domain for task in tasks}) for tasks in choose(fit, count))
            one_by_one += sum(domains in DOMAIN_SHARE[tier] for domains in spanned)
    assert combinations(catalog, personas=5) == 5 * one_by_one > 0


def test_a_catalogue_of_twelve_scenarios_a_domain_gives_more_than_a_hundred_billion_combinations() -> None:
    template = next(iter(load_catalog().values()))
    catalog = {
        f"{domain}-{number}": template.model_copy(update={"domain": domain, "tiers": TIERS})
        for domain in DOMAINS
        for number in range(12)
    }
    assert combinations(catalog, personas=965) > 10**11


def some_of_each_domain(count: int) -> dict[str, Task]:
    """So many of the shipped scenarios of every domain."""
    catalog = load_catalog()
    names = [name for d in DOMAINS for name in [n for n, task in catalog.items() if task.domain == d][:count]]
    return {name: catalog[name].model_copy(update={"tiers": TIERS, "claims": ()}) for name in names}


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
