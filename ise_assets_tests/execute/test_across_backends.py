"""Sessions recorded on bubblewrap reproduce on Docker, call by call."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.models import Trace
from ise_assets.execute.replay import replay_session
from ise_assets.execute.workspace import Backend, Limits, open_backend
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import Intent, Task
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.intent.pool import build_intent, plan_intent
from ise_assets.intent.sampler import sample_frame
from ise_assets.intent.writer import compose
from ise_assets.llm import Ledger
from ise_assets.settings import SCRIPTED_MODEL, Settings
from ise_assets.simulate.scripted.provider import register
from ise_assets.simulate.session import run_session

SCENARIOS = 30


async def recorded(persona: Any, backend: Backend, settings: Settings) -> tuple[dict[str, Any], Intent]:
    """One session of the scripted teacher, as the warehouse would hold it."""
    catalog = load_catalog()
    tasks = {task.content_hash: task for task in catalog.values()}
    frame = sample_frame(settings.seed, persona.id, 0)
    plan = plan_intent(frame, persona, catalog)
    intent = build_intent(plan, compose(plan.brief, frame.intent_id), SCRIPTED_MODEL)
    dialogue = await run_session(intent, persona, tasks, backend, Limits.of(settings), settings, Ledger(), 0)
    row = {
        "id": dialogue.id,
        "messages": json.dumps(dialogue.messages),
        "calls": json.dumps([vars(call) for call in dialogue.calls]),
        "subgoal_turns": json.dumps(dialogue.subgoal_turns),
        "tools": json.dumps(dialogue.tools),
        "files": json.dumps(dialogue.files),
        "accepted_live": dialogue.accepted_live,
    }
    return row, intent


async def compare(settings: Settings) -> tuple[list[tuple[dict[str, Any], Trace, Trace]], set[str]]:
    """As many sessions as cover 30 scenarios, each replayed on both backends; and the scenarios' names."""
    register()
    first, second = open_backend("bubblewrap"), open_backend("docker")
    tasks: dict[str, Task] = {task.content_hash: task for task in load_catalog().values()}
    found: list[tuple[dict[str, Any], Trace, Trace]] = []
    names: set[str] = set()
    wanted = min(SCENARIOS, len(tasks))
    for persona in (p for path in list_files(SHIPPED_LISTS) for p in read_persona_list(path).personas):
        if len(names) >= wanted:
            break
        frame = sample_frame(settings.seed, persona.id, 0)
        plan = plan_intent(frame, persona, load_catalog())
        if not {task.name for task in plan.tasks} - names:
            continue
        row, intent = await recorded(persona, first, settings)
        same, other = await asyncio.gather(
            replay_session(row, intent, tasks, first, settings), replay_session(row, intent, tasks, second, settings)
        )
        names |= {tasks[instance.scenario_hash].name for instance in intent.seed}
        found.append((row, same, other))
    return found, names


@pytest.mark.long
async def test_what_is_recorded_on_bubblewrap_reproduces_on_docker(docker_engine: str, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]
    found, names = await compare(settings)
    differ = [other for _, same, other in found if same.reproduced and not other.reproduced]
    if path := os.environ.get("ISE_COMPARISON"):  # to write docs/backends.md from
        lines = [json.dumps({"dialogue": other.dialogue_id, **d}) for _, _, other in found for d in other.divergence]
        counts = {
            "sessions": len(found),
            "scenarios": len(names),
            "calls": sum(len(other.calls) for _, _, other in found),
            "reproduced on bubblewrap": sum(same.reproduced for _, same, _ in found),
            "reproduced on docker": sum(other.reproduced for _, _, other in found),
            "accepted on bubblewrap": sum(same.accepted for _, same, _ in found),
            "accepted on docker": sum(other.accepted for _, _, other in found),
        }
        Path(path).write_text("\n".join([json.dumps(counts), *lines]) + "\n")
    assert len(names) >= min(SCENARIOS, len(load_catalog()))
    assert [same.accepted for _, same, _ in found] == [other.accepted for _, _, other in found]
    assert [(other.dialogue_id, other.divergence[:2]) for other in differ] == []
