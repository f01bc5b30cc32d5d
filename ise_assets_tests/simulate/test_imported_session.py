"""An imported intent through the whole pipeline: a session without a seed, replayed, and a record only where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ise_assets.checks import accepted_share
from ise_assets.execute.stage import replay_domain
from ise_assets.intent.dedup import dedup_domain
from ise_assets.intent.embedding import embed_pool
from ise_assets.intent.persona_pool import take_in
from ise_assets.intent.pool import write_intents
from ise_assets.settings import Settings
from ise_assets.simulate.stage import simulate_domain
from ise_assets.stage import StageRun
from ise_assets.train.split import build_split
from ise_assets.warehouse import Warehouse
from ise_assets_tests.simulate.model_server import serving

DOMAIN = "file-io"
MODEL = "hosted_vllm/m"


def test_an_imported_intent_is_lived_and_replayed_but_nobody_calls_it_accepted(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(shipped_personas=False, user_model=MODEL, agent_model=MODEL, sft_origin="real")
    settings.intents_dir.mkdir(parents=True)
    line = {"query": "Hi, please sum ledger no. 7 into total.txt.", "domain": DOMAIN}
    (settings.intents_dir / "mine.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    run = StageRun(Warehouse.of(settings), settings, "r1")
    take_in(run)
    imported = run.settings.model_copy(update={"intents_per_persona": 1})
    assert write_intents(replace(run, settings=imported), DOMAIN)["imported"] == 1
    run.warehouse.write(
        lambda connection: connection.execute("DELETE FROM intent_pool WHERE writer_model <> 'imported'")
    )
    embed_pool(run, DOMAIN)
    dedup_domain(run, DOMAIN)

    scripted = replace(
        run, settings=settings.model_copy(update={"user_model": "scripted/teacher", "agent_model": "scripted/teacher"})
    )
    assert simulate_domain(scripted, DOMAIN)["new_sessions"] == 0
    with serving() as served:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", served.base)
        summary = simulate_domain(run, DOMAIN)
    assert (summary["sessions"], summary["statuses"], summary["accepted_live"]) == (1, {"completed": 1}, 0)
    assert (summary["early_stops"], summary["intents_by_pass_rate"]) == (0, {})

    replay_domain(run, DOMAIN)
    ((trace),) = run.warehouse.rows("SELECT accepted, reproduced, declined FROM executed_traces")
    assert trace == {"accepted": None, "reproduced": True, "declined": False}
    assert "0 of 0 sessions" in accepted_share(run.warehouse, DOMAIN, 0.5).description

    assert records(run) == 0
    dropped = run.warehouse.rows("SELECT reason FROM sft_dropped")
    assert [row["reason"] for row in dropped] == ["unverified"]
    assert records(replace(run, settings=settings.model_copy(update={"sft_unverified": True}))) == 1


def records(run: StageRun) -> Any:
    build_split(run, DOMAIN)
    return run.warehouse.scalar("SELECT count(*) FROM sft_split")
