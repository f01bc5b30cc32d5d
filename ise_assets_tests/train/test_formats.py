"""Each export is read by its consumer's own code, keeps every record, and gives the dialogues' messages back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ise_assets.train.export import FORMATS, read_examples, write_format, write_pairs
from ise_assets.train.formats import FormatError, atif, inspect_log
from ise_assets.train.formats.llama_factory import JOINT
from ise_assets.train.formats.trl import trl_messages
from ise_assets.train.models import SPLITS, SFTExample
from ise_assets.train.split import build_split
from ise_assets.train.variants import VARIANTS, per_turn, single_turn
from ise_assets_tests.train.consumers import llama_factory, need
from ise_assets_tests.train.world import World, dialogue, ugly_json


@pytest.fixture
def filled(twelve: World) -> World:
    build_split(twelve.run(), "file-io")
    return twelve


@pytest.fixture
def examples(filled: World) -> list[SFTExample]:
    return list(read_examples(filled.warehouse))


def written(world: World, name: str, variant: str = "whole") -> Path:
    folder = world.settings.exports_dir / name
    write_format(world.warehouse, FORMATS[name], folder, VARIANTS[variant])
    return folder


def by_id(examples: list[SFTExample]) -> dict[str, SFTExample]:
    return {example.id: example for example in examples}


def plain(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages with arguments as text again, and without what formats may leave out: nulls and tools' names."""
    found = []
    for message in messages:
        kept = {
            k: v for k, v in message.items() if v not in (None, []) and not (message["role"] == "tool" and k == "name")
        }
        if kept.get("tool_calls"):
            kept["tool_calls"] = [
                {"id": c["id"], "name": c["function"]["name"], "arguments": _object(c["function"]["arguments"])}
                for c in kept["tool_calls"]
            ]
            kept.setdefault("content", "")
        found.append(kept)
    return found


def _object(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_records_give_the_same_bytes_and_a_readme_that_speaks_of_the_mask(filled: World, name: str) -> None:
    one = {p.relative_to(f): p.read_bytes() for f in [written(filled, name)] for p in f.rglob("*") if p.is_file()}
    other = {p.relative_to(f): p.read_bytes() for f in [written(filled, name)] for p in f.rglob("*") if p.is_file()}
    assert one == other and len(one) >= 3
    assert FORMATS[name].mask in one[Path("README.md")].decode()
    assert "honour" in FORMATS[name].mask
    assert not [path for path in filled.settings.exports_dir.iterdir() if path.name.startswith(".")]


def test_datasets_reads_trl_with_arguments_as_the_objects_they_are(
    filled: World, examples: list[SFTExample], tmp_path: Path
) -> None:
    from datasets import load_dataset

    folder = written(filled, "trl")
    read = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert set(read) == {example.split for example in examples}
    rows = {row["id"]: row for split in read.values() for row in split}
    assert rows.keys() == by_id(examples).keys()
    for identity, example in by_id(examples).items():
        messages = rows[identity]["messages"]
        calls = [call for message in messages for call in message.get("tool_calls") or []]
        assert calls and all(isinstance(call["function"]["arguments"], dict) for call in calls)
        assert all(None not in call["function"]["arguments"].values() for call in calls)
        assert plain(messages) == plain(example.messages)
        assert rows[identity]["tools"] == example.tools and rows[identity]["train_mask"] == example.train_mask


def test_datasets_reads_the_hub_folder_as_it_is(filled: World, examples: list[SFTExample], tmp_path: Path) -> None:
    from datasets import load_dataset

    folder = written(filled, "huggingface")
    read = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert set(read) == {example.split for example in examples}
    rows = {row["id"]: row for split in read.values() for row in split}
    assert rows.keys() == by_id(examples).keys()
    for identity, example in by_id(examples).items():
        lines = [json.loads(line) for line in (folder / "traces" / example.split / f"{identity}.jsonl").open()]
        assert lines[0]["type"] == "session" and lines[0]["id"] == identity
        assert [line["message"]["content"] for line in lines[1:]] == [m.get("content") or "" for m in example.messages]
        calls = [call for line in lines[1:] for call in line["message"].get("toolCalls", [])]
        assert [call["function"]["arguments"] for call in calls] == [
            call["function"]["arguments"] for m in example.messages for call in m.get("tool_calls") or []
        ]


@pytest.mark.parametrize("layout", ["openai", "sharegpt"])
def test_llama_factorys_converter_and_formatter_keep_every_record(
    filled: World, examples: list[SFTExample], tmp_path: Path, layout: str
) -> None:
    from datasets import load_dataset

    converter, parser, formatter = llama_factory()
    folder = written(filled, "llamafactory")
    shown = formatter.FunctionFormatter(slots=["{{content}}"], tool_format="qwen")
    converted = {}
    for name in json.loads((folder / "dataset_info.json").read_text()):
        if not name.startswith(f"ise_{layout}"):
            continue
        (attributes,) = parser.get_dataset_list([name], str(folder))
        convert = converter.get_dataset_converter(layout, attributes, SimpleNamespace(media_dir=str(folder)))
        path = str(folder / attributes.dataset_name)
        for row in load_dataset("json", data_files=path, split="train", cache_dir=str(tmp_path / "cache")):
            converted[row["id"]] = convert(row)
    assert converted.keys() == by_id(examples).keys()
    for identity, example in by_id(examples).items():
        found = converted[identity]
        turns = [*found["_prompt"], *found["_response"]]
        assert turns and len(found["_response"]) == 1  # not skipped
        assert found["_system"].rstrip("\n") == example.messages[0]["content"]
        assert json.loads(found["_tools"]) == example.tools
        wanted = list(_as_llama_factory(example))
        assert [turn["role"] for turn in turns] == [role for role, _, _ in wanted]
        for turn, (role, text, calls) in zip(turns, wanted, strict=True):
            if role != "function":
                assert turn["content"] == text
                continue
            (said,) = shown.apply(
                content=turn["content"],
                thought_words=("<think>\n", "\n</think>\n\n"),
                tool_call_words=("<tool_call>", "</tool_call>"),
            )
            assert said.startswith(text)  # what the agent said beside its calls is not lost
            read = [json.loads(part.partition("\n</tool_call>")[0]) for part in said.split("<tool_call>\n")[1:]]
            assert read == calls  # as objects, neither quoted twice nor with other rows' keys


def _as_llama_factory(example: SFTExample) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """(role, text, calls) of each turn that its trainer should see."""
    answers: list[str] = []
    for message in [*example.messages[1:], {"role": "end"}]:
        if message["role"] == "tool":
            answers.append(message["content"])
            continue
        if answers:
            yield "observation", JOINT.join(answers), []
            answers = []
        functions = [call["function"] for call in message.get("tool_calls") or []]
        calls = [{"name": f["name"], "arguments": json.loads(f["arguments"])} for f in functions]
        if message["role"] != "end":
            yield "function" if calls else message["role"], message.get("content") or "", calls


def test_what_llama_factory_would_skip_is_refused_and_the_old_export_stays(filled: World) -> None:
    folder = written(filled, "llamafactory")
    before = sorted(path.name for path in folder.iterdir())
    row = filled.warehouse.rows("SELECT id, messages FROM sft_split ORDER BY id LIMIT 1")[0]
    messages = json.loads(row["messages"])
    twice = [*messages[:2], {"role": "user", "content": "and?"}, *messages[2:]]
    mask = [int(message["role"] == "assistant") for message in twice]
    filled.warehouse.write(
        lambda c: c.execute(
            "UPDATE sft_split SET messages = ?, train_mask = ? WHERE id = ?",
            [json.dumps(twice), json.dumps(mask), row["id"]],
        )
    )
    with pytest.raises(FormatError, match=f"{row['id']} for LLaMA-Factory: requests and answers must alternate"):
        written(filled, "llamafactory")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_harbors_models_validate_every_trajectory(filled: World, examples: list[SFTExample]) -> None:
    need("harbor")
    from harbor.models.trajectories import Trajectory

    folder = written(filled, "atif")
    for example in examples:
        read = Trajectory.model_validate_json((folder / example.split / f"{example.id}.json").read_bytes())
        assert read.session_id == example.dialogue_id and read.agent.tool_definitions == example.tools
        assert (read.agent.name, read.agent.model_name) == ("ise_assets", "scripted/teacher")
        said = [step.message for step in read.steps]
        assert said == [m.get("content") or "" for m in example.messages if m["role"] != "tool"]
        results = [r for step in read.steps if step.observation for r in step.observation.results]
        assert [(r.source_call_id, r.content) for r in results] == [
            (m["tool_call_id"], m["content"]) for m in example.messages if m["role"] == "tool"
        ]
        calls = [call for step in read.steps for call in step.tool_calls or []]
        wanted = [call for m in example.messages for call in m.get("tool_calls") or []]
        assert [(c.tool_call_id, c.function_name, c.extra["arguments_text"]) for c in calls] == [
            (c["id"], c["function"]["name"], c["function"]["arguments"]) for c in wanted
        ]


def test_inspect_reads_every_log_back(filled: World, examples: list[SFTExample]) -> None:
    need("inspect_ai")
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    folder = written(filled, "inspect")
    seen = {}
    for split in SPLITS:
        path = str(folder / f"{split}.eval")
        if not Path(path).exists():
            continue
        log = read_eval_log(path)
        assert log.status == "success"
        summaries = read_eval_log_sample_summaries(path)
        assert [s.id for s in summaries] == [s.id for s in log.samples or []]
        seen |= {sample.id: sample for sample in log.samples or []}
    assert seen.keys() == by_id(examples).keys()
    for identity, example in by_id(examples).items():
        assert [m.text for m in seen[identity].messages] == [m.get("content") or "" for m in example.messages]
        assert seen[identity].output.model == "scripted/teacher"
        assert seen[identity].scores["accepted"].value == "C"
        calls = [call for m in seen[identity].messages for call in getattr(m, "tool_calls", None) or []]
        assert [(c.id, c.function) for c in calls] == [
            (c["id"], c["function"]["name"]) for m in example.messages for c in m.get("tool_calls") or []
        ]


def test_a_record_that_names_neither_program_nor_verdict_is_written_as_before(examples: list[SFTExample]) -> None:
    """Records of a warehouse that an earlier version has written have neither in their provenance."""
    known = {key: value for key, value in examples[0].provenance.items() if key not in ("agent_command", "accepted")}
    old = examples[0].model_copy(update={"provenance": known})
    assert atif.trajectory(old)["agent"] == atif.trajectory(examples[0])["agent"]
    assert inspect_log._sample(old)["scores"] == {"accepted": {"value": "C"}}


def test_malformed_arguments_are_kept_as_they_were_written(world: World) -> None:
    messages = dialogue("Ada")
    messages[2]["tool_calls"][0]["function"]["arguments"] = '{"path": '
    messages[4]["tool_calls"][0]["function"]["arguments"] = "[1]"
    world.session("Ada", messages=ugly_json(messages))
    build_split(world.run(), "file-io")
    (example,) = read_examples(world.warehouse)
    folder = written(world, "atif")
    text = json.loads((folder / example.split / f"{example.id}.json").read_text())
    calls = [call for step in text["steps"] for call in step.get("tool_calls", [])]
    assert [call["arguments"] for call in calls[:2]] == [{"_malformed": '{"path": '}, {"_malformed": "[1]"}]
    assert calls[0]["extra"] == {"arguments_text": '{"path": '}


def test_a_single_turn_is_the_first_alone(examples: list[SFTExample]) -> None:
    for example in examples:
        (cut,) = single_turn(example)
        users = [index for index, message in enumerate(example.messages) if message["role"] == "user"]
        assert cut.messages == example.messages[: users[1]] and cut.train_mask == example.train_mask[: users[1]]
        assert SFTExample.model_validate(cut.model_dump()).id == f"{example.id}.first"


def test_the_turns_of_a_session_train_each_message_once_and_show_no_past_thoughts(examples: list[SFTExample]) -> None:
    example = examples[0]
    thinking = [
        {**m, "reasoning_content": f"thought {n}"} if m["role"] == "assistant" else m
        for n, m in enumerate(example.messages)
    ]
    cuts = list(per_turn(example.model_copy(update={"messages": thinking})))
    assert len(cuts) == 2
    trained = [i for cut in cuts for i, bit in enumerate(cut.train_mask) if bit]
    assert trained == [i for i, bit in enumerate(example.train_mask) if bit]
    for cut in cuts:
        for message, bit in zip(cut.messages, cut.train_mask, strict=True):
            assert message["role"] != "assistant" or ("reasoning_content" in message) is bool(bit)
    assert cuts[1].provenance["cut_from"] == example.id


def test_every_format_takes_every_cut(filled: World) -> None:
    need("harbor")
    from harbor.models.trajectories import Trajectory

    for name in FORMATS:
        for variant in ("single-turn", "per-turn"):
            folder = written(filled, name, variant)
            if name == "atif":
                for path in folder.rglob("*.json"):
                    Trajectory.model_validate_json(path.read_bytes())


def test_pairs_share_a_prompt_and_part_at_the_agents_first_word(world: World, tmp_path: Path) -> None:
    from datasets import load_dataset

    folder = world.settings.exports_dir / "preference"
    world.session("Bob")
    build_split(world.run(), "file-io")
    assert write_pairs(world.warehouse, folder) == 0
    assert list(folder.iterdir()) == []
    rejected = dialogue("Ada")
    rejected[-1]["content"] = "No idea."
    world.session("Ada")
    world.session("Ada", rollout_index=1, accepted=False, messages=ugly_json(rejected))
    build_split(world.run(), "file-io")
    assert write_pairs(world.warehouse, folder) == 1
    (rows,) = load_dataset(str(folder), cache_dir=str(tmp_path / "cache")).values()
    (row,) = rows
    assert row["prompt"] == trl_messages(dialogue("Ada"))[:2] and row["prompt"][-1]["role"] == "user"
    assert row["prompt"] + row["chosen"] == trl_messages(dialogue("Ada"))
    assert row["prompt"] + row["rejected"] == trl_messages(rejected)
