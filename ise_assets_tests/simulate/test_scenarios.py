"""Every shipped scenario is proven in real workspaces, one draw of its parameters (three in `make test-long`)."""

import asyncio

import pytest

from ise_assets.execute.workspace import open_backend
from ise_assets.intent.catalog import load_catalog
from ise_assets.settings import Settings
from ise_assets.simulate.scripted.prove import prove, try_composition
from ise_assets.simulate.scripted.provider import register

CATALOG = load_catalog()


@pytest.mark.parametrize("name", sorted(CATALOG))
async def test_a_scenario_keeps_its_promises(name: str) -> None:
    proof = await prove(CATALOG[name], 0, open_backend("auto"), Settings())
    assert proof.problems == []


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", sorted(CATALOG))
async def test_a_scenario_keeps_its_promises_whatever_is_drawn(name: str, seed: int) -> None:
    proof = await prove(CATALOG[name], seed, open_backend("auto"), Settings())
    assert proof.problems == []


async def test_scenarios_bear_each_other_in_one_home_directory() -> None:
    await compositions(range(8))


@pytest.mark.long
async def test_two_hundred_sampled_compositions_are_solved_and_reproduce() -> None:
    await compositions(range(200))


async def compositions(numbers: range) -> None:
    register()
    backend, gate = open_backend("auto"), asyncio.Semaphore(2)

    async def one(number: int) -> list[str]:
        async with gate:
            proof = await try_composition(number, backend, Settings())
            return [f"{number} ({proof.task}): {problem}" for problem in proof.problems]

    found = await asyncio.gather(*map(one, numbers))
    assert [problem for problems in found for problem in problems] == []


async def test_a_broken_promise_is_found() -> None:
    task = CATALOG["merge-the-ledgers"]
    wrong = task.solution | {"merge": [step for step in task.solution["merge"] if step.write is None]}
    proof = await prove(task.model_copy(update={"solution": wrong}), 0, open_backend("auto"), Settings())
    assert any("not held" in problem for problem in proof.problems)
