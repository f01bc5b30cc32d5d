"""The 4D sampler: persona x domains x tasks x complexity, a pure function of its seed.

Tier, counts and domains are drawn first, from a stream that knows nothing of the catalogue: so the partition of an intent (its
first domain) never moves when scenarios come or go. The tasks are drawn from a second stream.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations as choose
from math import comb
from typing import TypeVar

from ise_assets.intent.models import DOMAINS, Task, TaskInstance, Tier, content_hash
from ise_assets.intent.template import HOME, draw, render

K = TypeVar("K")

SAMPLER_VERSION = 1
MAX_SUBGOALS = 9
TIER_SHARE: dict[Tier, float] = {"simple": 0.10, "medium": 0.40, "complex": 0.50}
TASK_SHARE: dict[Tier, dict[int, float]] = {
    "simple": {1: 0.25, 2: 0.50, 3: 0.25},
    "medium": {3: 0.25, 4: 0.50, 5: 0.25},
    "complex": {4: 0.20, 5: 0.40, 6: 0.40},
}
DOMAIN_SHARE: dict[Tier, dict[int, float]] = {
    "simple": {1: 0.80, 2: 0.20},
    "medium": {2: 0.80, 3: 0.20},
    "complex": {2: 0.30, 3: 0.70},
}
"""Shares of the counts per tier (ISE's means: 2.35 domains, 4.40 tasks). An intent has no fewer tasks than domains."""


class SamplingError(RuntimeError):
    """The catalogue cannot fill an intent; the message says which domain and tier lack scenarios."""


@dataclass(frozen=True)
class Frame:
    """What is drawn without looking at the catalogue."""

    intent_id: str
    persona_id: str
    tier: Tier
    domains: tuple[str, ...]
    task_count: int


def intent_id(seed: int, persona_id: str, k: int) -> str:
    """Identity of a persona's k-th intent: never a hash of the rendered text, so no edit restarts paid work."""
    return content_hash("intent", seed, persona_id, k, SAMPLER_VERSION)


@lru_cache(maxsize=65_536)  # a run of ten domains draws each frame ten times
def sample_frame(seed: int, persona_id: str, k: int) -> Frame:
    """Tier, number of tasks and domains of a persona's k-th intent."""
    identity = intent_id(seed, persona_id, k)
    rng = random.Random(f"frame {identity}")
    tier = _pick(rng, TIER_SHARE)
    tasks = _pick(rng, TASK_SHARE[tier])
    shares = DOMAIN_SHARE[tier]
    if tasks >= max(shares):
        # one task cannot span two domains: the intents with more tasks make up for it, so the marginal holds
        room = sum(share for count, share in TASK_SHARE[tier].items() if count >= max(shares))
        top = shares[max(shares)] / room
        count = max(shares) if rng.random() < top else min(shares)
    else:
        count = min(shares)
    return Frame(identity, persona_id, tier, tuple(rng.sample(DOMAINS, count)), tasks)


def sample_tasks(frame: Frame, catalog: Mapping[str, Task]) -> list[Task]:
    """The frame's scenarios, grouped by domain, no task twice, claims disjoint, at most `MAX_SUBGOALS` subgoals.

    Raises:
        SamplingError: the catalogue has too few scenarios for this frame.
    """
    pools = {
        domain: [task for task in catalog.values() if task.domain == domain and frame.tier in task.tiers]
        for domain in frame.domains
    }
    if empty := [domain for domain, pool in pools.items() if not pool]:
        raise SamplingError(f"no {frame.tier} scenario for {', '.join(empty)}; add one to the catalogue")
    best: list[Task] | None = None
    for attempt in range(40):
        chosen = _draw_tasks(random.Random(f"tasks {frame.intent_id} {attempt}"), frame, pools)
        if best is None or _badness(chosen, frame) < _badness(best, frame):
            best = chosen
        if _badness(best, frame) == 0:
            break
    assert best is not None
    return best


def instantiate(frame: Frame, tasks: Sequence[Task]) -> list[TaskInstance]:
    """Parameters, directories and ports of the frame's scenarios; no two share a directory or a port."""
    instances: list[TaskInstance] = []
    taken: set[str] = set()
    port = 8000 + random.Random(f"ports {frame.intent_id}").randrange(0, 900)
    for task in tasks:
        params = draw(task.params, random.Random(f"params {frame.intent_id} {task.name}"))
        root = _free_folder(str(render(task.root, params)).strip("/"), taken)
        taken.add(root)
        ports = {}
        for label in task.ports:
            ports[label] = port
            port += 7
        instances.append(
            TaskInstance(
                task=task.name, scenario_hash=task.content_hash, params=params, root=f"{HOME}/{root}", ports=ports
            )
        )
    return instances


def _free_folder(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, numbered where it is one of `taken`, holds one of them, or lies in one (then its first folder is numbered)."""
    first, _, rest = wanted.partition("/")
    name, number = wanted, 2
    while any(name == other or name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in taken):
        inside = rest and any(name.startswith(f"{other}/") for other in taken)
        name, number = f"{first}-{number}/{rest}" if inside else f"{wanted}-{number}", number + 1
    return name


def combinations(catalog: Mapping[str, Task], personas: int) -> int:
    """How many (persona, tier, domains, tasks) tuples the table allows, before any parameter is drawn."""
    total = 0
    for tier, counts in DOMAIN_SHARE.items():
        sizes = {d: sum(t.domain == d and tier in t.tiers for t in catalog.values()) for d in DOMAINS}
        for count in counts:
            for domains in choose(DOMAINS, count):
                for tasks in (n for n in TASK_SHARE[tier] if n >= count):
                    total += _covering([sizes[d] for d in domains], tasks)
    return total * personas


def _covering(sizes: list[int], tasks: int) -> int:
    """Ways to choose `tasks` items out of groups of `sizes`, at least one of each group."""
    ways = {0: 1}
    for size in sizes:
        grown: dict[int, int] = {}
        for used, count in ways.items():
            for take in range(1, min(size, tasks - used) + 1):
                grown[used + take] = grown.get(used + take, 0) + count * comb(size, take)
        ways = grown
    return ways.get(tasks, 0)


def _draw_tasks(rng: random.Random, frame: Frame, pools: Mapping[str, list[Task]]) -> list[Task]:
    shuffled = {domain: rng.sample(pool, len(pool)) for domain, pool in pools.items()}
    claims: set[str] = set()
    chosen: dict[str, list[Task]] = {domain: [] for domain in frame.domains}

    def take(domain: str) -> bool:
        while shuffled[domain]:
            task = shuffled[domain].pop()
            if claims.isdisjoint(task.claims):
                claims.update(task.claims)
                chosen[domain].append(task)
                return True
        return False

    for domain in frame.domains:
        take(domain)
    while sum(map(len, chosen.values())) < frame.task_count:
        open_domains = [domain for domain in frame.domains if shuffled[domain]]
        if not open_domains:
            break
        take(rng.choice(open_domains))
    return [task for domain in frame.domains for task in chosen[domain]]


def _badness(tasks: Sequence[Task], frame: Frame) -> int:
    subgoals = sum(len(task.subgoals) for task in tasks)
    return 100 * (frame.task_count - len(tasks)) + max(0, subgoals - MAX_SUBGOALS)


def _pick(rng: random.Random, shares: Mapping[K, float]) -> K:
    return rng.choices(list(shares), weights=list(shares.values()))[0]
