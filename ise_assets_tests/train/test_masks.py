"""Tokens that are trained on are exactly what the agent has to write, through the chat templates of several families."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from ise_assets.train.export import read_examples, write_format
from ise_assets.train.formats import FormatError
from ise_assets.train.formats.tokenized import Tokenized
from ise_assets.train.formats.trl import trl_messages
from ise_assets.train.masks import IGNORED, label, load_tokenizer
from ise_assets.train.models import SFTExample
from ise_assets.train.show import print_tokens
from ise_assets.train.split import build_split
from ise_assets.train.variants import per_turn
from ise_assets_tests.train.small_models import save_smollm2_tokenizer, save_trained_tokenizer
from ise_assets_tests.train.world import World, dialogue

ENDS = {"chatml-tools": "<|im_end|>\n", "headers": ("<|eot_id|>", "<|eom_id|>"), "thinking": "<|im_end|>\n"}


@pytest.fixture
def example(twelve: World) -> SFTExample:
    build_split(twelve.run(), "file-io")
    return next(read_examples(twelve.warehouse))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model's folder by chat template: two families of tokenizers, three of templates."""
    made = tmp_path_factory.mktemp("tokenizers")
    texts = [json.dumps(dialogue(name), ensure_ascii=False) for name in ("Ada", "Bob", "Cem")]
    return {
        "chatml-tools": save_smollm2_tokenizer(made / "smollm2", "chatml-tools"),
        "headers": save_trained_tokenizer(made / "headers", texts, "headers"),
        "thinking": save_smollm2_tokenizer(made / "thinking", "thinking"),
    }


def trained_texts(ids: list[int], labels: list[int], tokenizer: Any) -> list[str]:
    """The texts of each run of trained tokens."""
    runs: list[list[int]] = []
    for number, (token, wanted) in enumerate(zip(ids, labels, strict=True)):
        assert wanted in (IGNORED, token)
        if wanted != IGNORED:
            if number and labels[number - 1] != IGNORED:
                runs[-1].append(token)
            else:
                runs.append([token])
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize("name", ["chatml-tools", "headers", "thinking"])
def test_what_is_trained_on_is_what_the_agent_has_to_write(
    folders: dict[str, Path], example: SFTExample, name: str
) -> None:
    tokenizer = load_tokenizer(folders[name])
    found = label(tokenizer, example)
    assert "".join(found.pieces) == tokenizer.decode(found.input_ids)  # nothing of the record is lost on the way
    runs = trained_texts(found.input_ids, found.labels, tokenizer)
    wanted = [m for m, trained in zip(example.messages, example.train_mask, strict=True) if trained]
    assert len(runs) == len(wanted) == 4
    for run, message in zip(runs, wanted, strict=True):
        assert run.startswith(message["content"] or "") and run.endswith(ENDS[name])
        calls = message.get("tool_calls") or []
        assert run.count('"name"') == len(calls)  # also both of two calls made at once
        for call in calls:
            assert all(value in run for value in json.loads(call["function"]["arguments"]).values())
    untrained = tokenizer.decode([t for t, w in zip(found.input_ids, found.labels, strict=True) if w == IGNORED])
    for message in example.messages:
        if message["role"] in ("user", "tool") and len(message["content"]) > 12:
            assert message["content"][:10] in untrained and not any(message["content"][:10] in run for run in runs)


@pytest.mark.parametrize("name", ["chatml-tools", "headers"])
def test_a_message_that_is_masked_has_no_label(folders: dict[str, Path], example: SFTExample, name: str) -> None:
    tokenizer = load_tokenizer(folders[name])
    first = example.train_mask.index(1)
    masked = example.model_copy(
        update={"train_mask": [0 if i == first else b for i, b in enumerate(example.train_mask)]}
    )
    whole, fewer = label(tokenizer, example), label(tokenizer, masked)
    assert fewer.input_ids == whole.input_ids
    assert (
        trained_texts(fewer.input_ids, fewer.labels, tokenizer)
        == trained_texts(whole.input_ids, whole.labels, tokenizer)[1:]
    )


def test_the_templates_own_marks_agree(folders: dict[str, Path], example: SFTExample) -> None:
    """Where a template says itself what is generated, TRL trains on that: the same tokens as our labels."""
    tokenizer = load_tokenizer(folders["chatml-tools"])
    rendered = tokenizer.apply_chat_template(
        trl_messages(example.messages), tools=example.tools, return_dict=True, return_assistant_tokens_mask=True
    )
    found = label(tokenizer, example)
    assert rendered["input_ids"] == found.input_ids
    assert [int(wanted != IGNORED) for wanted in found.labels] == rendered["assistant_masks"]


def thinking(example: SFTExample) -> SFTExample:
    messages = [
        {**m, "reasoning_content": f"I think of {n}."} if m["role"] == "assistant" else m
        for n, m in enumerate(example.messages)
    ]
    return example.model_copy(update={"messages": messages})


def test_a_template_that_drops_past_thoughts_takes_no_whole_record_but_each_turn(
    folders: dict[str, Path], example: SFTExample
) -> None:
    tokenizer = load_tokenizer(folders["thinking"])
    record = thinking(example)
    with pytest.raises(FormatError, match="per-turn"):
        label(tokenizer, record)
    for cut in per_turn(record):
        found = label(tokenizer, cut)
        start = next(i for i, wanted in enumerate(found.labels) if wanted != IGNORED)
        asked = cut.train_mask.index(1)
        # what a model is sent when it is asked for this message is, token by token, what comes before the first label
        prompt = tokenizer.apply_chat_template(
            trl_messages(record.messages[:asked]), tools=record.tools, add_generation_prompt=True, return_dict=True
        )
        assert found.input_ids[:start] == prompt["input_ids"]
        runs = trained_texts(found.input_ids, found.labels, tokenizer)
        assert all(run.startswith("<think>\nI think of") for run in runs)
        assert "I think of" not in tokenizer.decode(found.input_ids[:start])


def test_the_export_holds_these_labels(twelve: World, folders: dict[str, Path]) -> None:
    build_split(twelve.run(), "file-io")
    folder = twelve.settings.exports_dir / "tokenized"
    assert write_format(twelve.warehouse, Tokenized(folders["headers"]), folder) == 12
    rows = {row["id"]: row for path in folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()}
    tokenizer = load_tokenizer(folders["headers"])
    for example in read_examples(twelve.warehouse):
        found = label(tokenizer, example)
        assert rows[example.id] == {"id": example.id, "input_ids": found.input_ids, "labels": found.labels}
        assert set(found.labels) > {IGNORED}


def test_a_record_is_shown_as_tokens_with_the_trained_ones_coloured(
    twelve: World, folders: dict[str, Path], example: SFTExample
) -> None:
    page = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=10_000)
    print_tokens(page, twelve.warehouse, example.dialogue_id[:12], folders["headers"])
    shown = page.file.getvalue()  # type: ignore[attr-defined]
    coloured = "".join(re.findall(r"\x1b\[30;42m(.*?)\x1b\[0m", shown, re.DOTALL))
    assert "Yes: plan/r.csv says so.<|eot_id|>" in coloured and "thanks, sure?" not in coloured
    found = label(load_tokenizer(folders["headers"]), example)
    trained = sum(wanted != IGNORED for wanted in found.labels)
    assert f"{trained:,} of {len(found.labels):,} tokens are trained on" in re.sub(r"\x1b\[[\d;]*m", "", shown)
    with pytest.raises(LookupError, match="no record"):
        print_tokens(page, twelve.warehouse, "zzz", folders["headers"])


def test_a_folder_without_a_tokenizer_or_a_template_is_told(tmp_path: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(FormatError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in folders["headers"].iterdir():
        if "template" not in path.name:
            text = path.read_text(encoding="utf-8")
            (bare / path.name).write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="no chat template"):
        load_tokenizer(bare)
