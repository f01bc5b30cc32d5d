"""Rewrites the sample at the end of intents.md: five openings of each domain, by the scripted writer, drawn by seed.

    python docs/sample_utterances.py [--seed N]

It reads the shipped personas and scenarios only, so run it again when the catalogue has changed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import DOMAINS, REGISTERS, Persona, Task
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.intent.pool import Plan, plan_intent
from ise_assets.intent.sampler import combinations, sample_frame
from ise_assets.intent.writer import compose

PAGE = Path(__file__).parent / "intents.md"
HEADING = "## Fifty openings\n"
PER_DOMAIN = 5


def sample(people: Sequence[Persona], catalog: Mapping[str, Task], seed: int) -> Iterator[Plan]:
    """Intents of different people, `PER_DOMAIN` a domain in the domains' order; as many of each register as can be."""
    shuffled = random.Random(seed).sample(people, len(people))
    wanted = {
        domain: [REGISTERS[(d + n) % len(REGISTERS)] for n in range(PER_DOMAIN)] for d, domain in enumerate(DOMAINS)
    }
    chosen: dict[str, list[Plan]] = {domain: [] for domain in DOMAINS}
    for plan in (plan_intent(sample_frame(seed, persona.id, 0), persona, catalog) for persona in shuffled):
        domain, register = plan.frame.domains[0], plan.brief.register
        if register in wanted[domain]:
            wanted[domain].remove(register)
            chosen[domain].append(plan)
    return chain.from_iterable(chosen.values())


def section(seed: int) -> str:
    """The sample as Markdown."""
    people = [persona for path in list_files(SHIPPED_LISTS) for persona in read_persona_list(path).personas]
    catalog = load_catalog()
    lines = [
        HEADING,
        f"Drawn with seed {seed} from {len(people)} personas and {len(catalog)} scenarios, which allow"
        f" {combinations(catalog, len(people)):.2e} combinations; made by `python docs/sample_utterances.py`.",
    ]
    for domain, plans in groupby(sample(people, catalog, seed), lambda plan: plan.frame.domains[0]):
        lines += ["", f"### {domain}"]
        for plan in plans:
            tasks = ", ".join(task.name for task in plan.tasks)
            said = compose(plan.brief, plan.frame.intent_id).replace("*", r"\*")
            lines += ["", f"*{plan.persona.role}; {plan.brief.register}; {plan.frame.tier}: {tasks}*", "", f"> {said}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=20260611)
    written = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    PAGE.write_text(written + section(parser.parse_args().seed), encoding="utf-8")
