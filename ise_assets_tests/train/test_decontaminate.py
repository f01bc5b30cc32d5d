"""Benchmarks as they come (task folders, JSON lines), and what of them is found in a conversation."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ise_assets.intent.embedding import Encoder
from ise_assets.intent.models import content_hash
from ise_assets.intent.sampler import intent_id
from ise_assets.train import decontaminate
from ise_assets.train.decontaminate import BenchmarkError, Item, index, load_benchmarks, tokenise
from ise_assets.train.split import build_split
from ise_assets_tests.train.world import World

CLAW_PROMPT = "Our wholesale desk needs the open orders of last week matched with the delivery slips; tell me which slips are missing."
CLAW_RUBRIC = "The answer lists the slips 4411 and 4419 as missing, says that slip 4423 belongs to another customer, and invents none."
CLAW_FIXTURE = "order_id,customer,slip\n771,Nordhaven Tools,4411\n772,Brightwater Foods,4419\n773,Alder and Sons,4423\n"
TERMINAL_PROMPT = "A small http server in /app leaks file descriptors under load. Find the leak, mend it and leave the tests as they are."
CHINESE_PROMPT = "请把上周的未结订单和送货单逐一核对，然后告诉我缺了哪几张送货单。"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two task folders and lines of prompts."""
    claw = tmp_path / "claw" / "T01_match_slips"
    (claw / "fixtures" / "orders").mkdir(parents=True)
    (claw / "task.yaml").write_text(
        f"task_id: T01_match_slips\nprompt:\n  text: |\n    {CLAW_PROMPT}\n  language: en\n"
        f"judge_rubric: |\n  {CLAW_RUBRIC}\nscoring_components:\n  - name: a\n    weight: 0.5\n"
    )
    (claw / "fixtures" / "orders" / "orders.csv").write_text(CLAW_FIXTURE)
    (claw / "fixtures" / "logo.png").write_bytes(b"\x89PNG\0\0")
    terminal = tmp_path / "terminal" / "fd-leak"
    (terminal / "tests").mkdir(parents=True)
    (terminal / "task.toml").write_text('[metadata]\nauthor_name = "somebody"\n')
    (terminal / "instruction.md").write_text(TERMINAL_PROMPT)
    (terminal / "tests" / "test.sh").write_text("curl -s http://127.0.0.1:8000/ >/dev/null && ls /proc/$PID/fd | wc -l")
    lines = [{"prompt": CHINESE_PROMPT}, {"query": "Rotate the logs."}, "Rename every scan by its date."]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return tmp_path


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _tool(text: str) -> list[dict[str, Any]]:
    return [{"role": "tool", "tool_call_id": "c", "content": text}]


def test_tasks_prompts_fixtures_and_rubrics_are_read(folder: Path) -> None:
    benchmarks = load_benchmarks([folder])
    names = {Path(item.name.split("#")[0]).name + "#" + item.name.partition("#")[2] for item in benchmarks.items}
    assert {"task.yaml#prompt.text", "task.yaml#judge_rubric", "orders.csv#", "instruction.md#"} <= names
    assert {item.text.strip() for item in benchmarks.items if item.prompt} >= {
        CLAW_PROMPT,
        TERMINAL_PROMPT,
        CHINESE_PROMPT,
        "Rename every scan by its date.",
    }
    of_claw = {item.task for item in benchmarks.items if "T01" in item.name}
    assert len(of_claw) == 1
    assert [Path(line.split(":")[0]).name for line in benchmarks.left_out] == ["logo.png"]


@pytest.mark.parametrize(
    ("messages", "rule"),
    [
        (_user(f"hello. {CLAW_PROMPT.upper()} thanks"), "13-gram"),
        (_user("so, " + " ".join(CLAW_PROMPT.split()[3:17]) + " or whatever"), "13-gram"),
        (_tool(f"$ cat notes\n{CLAW_RUBRIC}"), "13-gram"),
        (_tool(CLAW_FIXTURE), "13-gram"),
        (_user(TERMINAL_PROMPT.replace(". ", "!\n\n ** ")), "13-gram"),
        (_user("你好，" + CHINESE_PROMPT[4:20]), "8-gram of Chinese"),
        (_user("please rotate the logs"), None),
        (_user("Rotate the logs!"), "whole prompt"),
        (_user("ok now rename every scan by its date, will you"), "whole prompt"),
        (_user(" ".join(CLAW_PROMPT.split()[:10])), None),
        (_user("Which slips are missing at the wholesale desk? Ours needs the open orders matched."), None),
        ([{"role": "assistant", "content": CLAW_PROMPT}], None),
        ([{"role": "system", "content": CLAW_PROMPT}], None),
    ],
)
def test_what_is_found(folder: Path, messages: list[dict[str, Any]], rule: str | None) -> None:
    hits = load_benchmarks([folder]).search(messages)
    assert [hit.rule for hit in hits][:1] == ([rule] if rule else [])


def test_half_of_the_8_grams_of_a_short_prompt_are_enough_and_less_is_not() -> None:
    words = [f"word{n}" for n in range(20)]  # 13 8-grams
    benchmarks = index([Item("a", "a", " ".join(words), True)])

    def found(*spans: tuple[int, int]) -> list[tuple[str, float]]:
        text = " and ".join(" ".join(words[start:end]) for start, end in spans)
        return [(hit.rule, hit.overlap) for hit in benchmarks.search(_user(text))]

    assert found((0, 12), (12, 20)) == []  # 5 + 1 of 13
    assert found((0, 12), (11, 20)) == [("half of a short prompt", 0.538)]  # 5 + 2
    assert found((0, 20))[0] == ("13-gram", 1.0)


def test_what_many_tasks_share_is_boilerplate_and_copies_make_none() -> None:
    shared = "You are given a working directory with all files that you need; write the answer to answer.txt and nothing else."
    items = [
        Item(f"t{n}", f"t{n}", f"{shared} Item {n}: count the {n} blue marbles of jar {n * 7}.", True) for n in range(8)
    ]
    benchmarks = index(items)
    assert benchmarks.boilerplate > 0
    assert benchmarks.search(_user(shared)) == []
    assert benchmarks.search(_user(items[3].text))[0].item == "t3"
    copies = index([Item(f"t{n}", f"t{n}", shared, True) for n in range(8)])
    assert len(copies.items) == 1
    assert copies.search(_user(shared))[0].rule == "13-gram"


def test_the_same_few_tokens_over_and_over_are_no_evidence() -> None:
    zeros = "0 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 1 0 0"
    benchmarks = index([Item("a", "a", zeros, False), Item("b", "b", CLAW_RUBRIC, False)])
    assert benchmarks.search(_tool(zeros)) == []


def test_excerpt_shows_the_place() -> None:
    benchmarks = index([Item("a", "a", CLAW_RUBRIC, False)])
    (hit,) = benchmarks.search(_tool("x " * 500 + CLAW_RUBRIC))
    assert "slips 4411 and 4419 as missing" in hit.excerpt
    assert hit.message_index == 0


def test_neighbours_are_listed_for_review_and_nothing_is_dropped_for_them(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {}
    for who, vector in {"Ada": [1.0, 0.0], "Bob": [0.8, 0.6], "Cem": [0.0, 1.0]}.items():
        ids[who] = world.session(who)
        identity = intent_id(world.settings.seed, content_hash("persona", who), 0)
        row = {"intent_id": identity, "domain": "file-io", "model": world.settings.embedding_model, "vector": vector}
        world.insert("intent_embeddings", ["intent_id"], row)

    def encode(self: Encoder, texts: list[str]) -> Any:
        return np.array([[1, 0] if text.strip() == CLAW_PROMPT else [0, -1] for text in texts], dtype=np.float32)

    monkeypatch.setattr(Encoder, "encode", encode)
    monkeypatch.setenv("ISE_CACHE", str(folder / "cache"))
    summary = build_split(world.run(benchmarks=str(folder / "claw"), leak_threshold=1.0), "file-io")
    assert (summary["records"], summary["contaminated"]) == (3, 0)
    report = json.loads(Path(summary["decontamination_report"]).read_text())
    assert report["found"] == []
    assert [(row["dialogue_id"], row["overlap"]) for row in report["to_review"]] == [
        (ids["Ada"], 1.0),
        (ids["Bob"], 0.8),
    ]
    monkeypatch.setattr(Encoder, "encode", None)  # the second time the vectors are kept
    build_split(world.run(benchmarks=str(folder / "claw"), leak_threshold=1.0), "file-io")
    assert world.warehouse.scalar("SELECT count(*) FROM decontamination") == 2


def test_missing_benchmark_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"names .*nowhere, which is not there"):
        load_benchmarks([tmp_path / "nowhere"])
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(BenchmarkError, match=r"without any text.*broken\.jsonl"):
        load_benchmarks([tmp_path])


def test_files_that_cannot_be_read_are_listed_and_the_others_are_read(folder: Path) -> None:
    (folder / "broken.yaml").write_text("a: [1, {")
    (folder / "bomb.yaml").write_text("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b, the loop]\n")
    (folder / "self.yaml").write_text("&a\n- *a\n- words that stand in a list which holds itself\n")
    (folder / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    benchmarks = load_benchmarks([folder])
    assert {Path(line.split(":")[0]).name for line in benchmarks.left_out} == {"broken.yaml", "latin.txt", "logo.png"}
    assert any("holds itself" in item.text for item in benchmarks.items)


def test_too_much_is_refused_before_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decontaminate, "MAX_GRAMS", 1_000)
    rng = random.Random(1)
    items = (Item(str(n), str(n), " ".join(f"w{rng.randrange(9999)}" for _ in range(300)), False) for n in range(1_000))
    with pytest.raises(BenchmarkError, match="more than 1,000 n-grams"):
        index(items)


def test_changed_files_are_read_again(folder: Path) -> None:
    assert load_benchmarks([folder]) is load_benchmarks([folder])
    before = len(load_benchmarks([folder]).items)
    (folder / "more.txt").write_text("and something more to find in this file")
    assert len(load_benchmarks([folder]).items) == before + 1


def test_tokens_are_words_and_single_characters() -> None:
    assert tokenise("Don't_stop at 3.5 ＫＭ，我们 走!") == ["don", "t", "stop", "at", "3", "5", "km", "我", "们", "走"]


@pytest.mark.long
def test_search_is_linear() -> None:
    rng = random.Random(2)

    def text(words: int) -> str:
        return " ".join(f"w{rng.randrange(5_000)}" for _ in range(words))

    benchmarks = index([Item(str(n), str(n), text(400), True) for n in range(500)])

    def seconds(words: int) -> float:
        message = _tool(text(words))
        benchmarks.search(message)
        took = []
        for _ in range(5):
            began = time.process_time()
            benchmarks.search(message)
            took.append(time.process_time() - began)
        return min(took)

    assert seconds(200_000) < 4 * 1.6 * seconds(50_000)
    assert np.isfinite(seconds(10))
