"""The dataset card: the export's README, made from the tables alone, so that it cannot say what the data does not.

It holds no date and no path: the same rows give the same bytes. Figures of ISE are the paper's (arXiv 2606.11520).
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from ise_assets.train.models import SPLITS
from ise_assets.warehouse import Warehouse, sql

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_INTRODUCTION = (
    "Multi-turn sessions of a simulated user with an agent that works in a real, isolated workspace. Every tool call "
    "was run, then run again in a fresh workspace; a session is here only if it completed, came out the same again, "
    "and every acceptance check held on the final state. The recipe is ISE (Intent, Simulate, Execute: arXiv "
    "2606.11520)."
)
_AUTHORED = (
    "> **Scripted.** {share} of these records hold turns of the scripted teacher ({roles}): authored behaviour. They "
    "show that the machinery works; they are no measure of data quality, and no figure below should be read as one."
)
_FACTS = (
    "by_domain",
    "models",
    "dropped",
    "shape",
    "drift",
    "tools",
    "diversity",
    "outcomes",
    "sources",
    "cost",
    "redactions",
    "benchmarks",
    "facts",
)
"""The statements `sql/train/card_*.sql` that the sections are made from."""


def dataset_card(warehouse: Warehouse) -> str:
    """The card as Markdown with the YAML header that the Hugging Face Hub reads."""
    facts = warehouse.answers({name: sql(f"train/card_{name}") for name in _FACTS})
    domains, models = facts["by_domain"], facts["models"]
    total = domains[-1]
    sections = [
        f"---\n{yaml.safe_dump(_header(total, models), sort_keys=False, allow_unicode=True)}---",
        "# Verified OS-agent trajectories for supervised fine-tuning",
        _INTRODUCTION,
        _scripted_label(models),
        _counts(total),
        _dropped(facts["dropped"]),
        _by_domain(domains[:-1]),
        _beside_ise(facts["shape"][0], facts["drift"][0], facts["tools"]),
        _diversity(facts["diversity"]),
        _calls(total, facts["outcomes"]),
        _origins(models, facts["sources"]),
        _cost(facts["cost"], total),
        _cleaned(facts["redactions"], facts["benchmarks"], total["records"]),
        _columns(),
        _limits(models, facts["benchmarks"]),
        _reproduce(facts["facts"]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _header(total: dict[str, Any], models: list[dict[str, Any]]) -> dict[str, Any]:
    records = total["records"]
    present = [split for split in SPLITS if total[split]]
    header: dict[str, Any] = {"license": "mit"}
    if any(row["licence"] != "mit" for row in models):
        header = {"license": "other", "license_name": "terms-of-the-models-used"}
    header |= {
        "language": ["en"],  # the catalogue and the shipped personas are English
        "size_categories": [next((name for limit, name in _SIZES if records < limit), "1M<n<10M")],
        "task_categories": ["text-generation"],
        "tags": ["agent", "tool-use", "function-calling", "os-agent", "sft", "synthetic"]
        + (["scripted"] if any(row["scripted"] for row in models) else []),
    }
    if present:
        header["configs"] = [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{split}.parquet"} for split in present],
            }
        ]
    return header


def _scripted_label(models: list[dict[str, Any]]) -> str:
    scripted = sum(row["records"] for row in models if row["scripted"])
    if not scripted:
        return ""
    total = sum(row["records"] for row in models)
    roles = {
        role
        for row in models
        for role, model in (
            ("intent writer", row["intent_writer"]),
            ("user", row["user_model"]),
            ("agent", row["agent"]),
        )
        if str(model).startswith("scripted/")
    }
    return _AUTHORED.format(
        share="All" if scripted == total else f"{scripted} of {total}", roles=", ".join(sorted(roles))
    )


def _counts(total: dict[str, Any]) -> str:
    return "## Counts\n\n" + _table(
        ["", "n"],
        [
            ["sessions simulated", total["sessions"]],
            ["completed", total["completed"]],
            ["accepted (of all)", _share(total["accepted"], total["sessions"])],
            ["reproduced in a fresh workspace (of all)", _share(total["reproduced"], total["sessions"])],
            ["records exported", total["records"]],
            *([f"in {split}", total[split]] for split in SPLITS),
            ["user turns a record", _mean(total["user_turns"])],
            ["messages a record (without the system's)", _mean(total["dialogue_turns"])],
            ["tool calls a record", _mean(total["tool_calls"])],
            ["tokens", total["tokens"]],
        ],
    )


def _dropped(reasons: list[dict[str, Any]]) -> str:
    if not reasons:
        return ""
    return "### Why sessions gave no record\n\n" + _table(
        ["reason", "sessions"], [[row["reason"], row["sessions"]] for row in reasons]
    )


def _beside_ise(shape: dict[str, Any], drift: dict[str, Any], tools: list[dict[str, Any]]) -> str:
    share = shape["user_turns_6_to_10"]
    rows = [
        ["sessions", shape["records"], "23132"],
        ["personas", shape["personas"], "965"],
        ["user turns, mean", _mean(shape["user_turns"]), "8.12"],
        ["user turns, median", _mean(shape["user_turns_median"]), "8"],
        ["user turns, largest", shape["user_turns_max"], "23"],
        ["user turns in 6 to 10", "-" if share is None else f"{share:.1%}", "91.1%"],
        ["messages (without the system's), mean", _mean(shape["dialogue_turns"]), "68.24"],
        ["messages (without the system's), largest", shape["dialogue_turns_max"], "565"],
        ["tool calls, mean", _mean(shape["tool_calls"]), "29.26"],
        ["distinct tools, mean", _mean(shape["distinct_tools"]), "4.69"],
        ["domains, mean", _mean(shape["domains"]), "2.35"],
        ["scenarios (tasks), mean", _mean(shape["tasks"]), "4.40"],
        [
            "user turns out of the role (all sessions)",
            _share(drift["drift_turns"], drift["user_turns"]),
            "0.02%",
        ],
        ["tokens, mean", _mean(shape["tokens"]), "-"],
    ]
    text = "## Beside ISE\n\n" + _table(
        ["", "these records", "ISETrace"], [["-" if c is None else c for c in row] for row in rows]
    )
    if tools:
        text += "\n\nTools by use: " + ", ".join(f"{row['name']} ({row['calls']})" for row in tools) + "."
        text += " ISE's order: exec, write, read, edit, web_fetch, web_search, memory_search, process."
    return text


def _diversity(metrics: list[dict[str, Any]]) -> str:
    if not metrics:
        return ""
    names = {"vendi_curve": "Vendi Score", "distinct_2": "Distinct-2", "neighbour_p95": "nearest neighbour, 95 %"}
    names["vendi"] = "Vendi Score of"
    rows = [
        [f"{names[m['metric']]} {m['domain']}".strip(), m["n"], f"{m['value']:.2f}", _mean(m["ise"])] for m in metrics
    ]
    return "## Diversity of the intent pool\n\nThe Vendi Score grows with n: only equal n compares.\n\n" + _table(
        ["", "n", "here", "ISE"], rows
    )


def _cost(calls: list[dict[str, Any]], total: dict[str, Any]) -> str:
    if not calls:
        return ""
    cost = sum(row["cost_usd"] or 0.0 for row in calls)
    text = "## Cost\n\n" + _table(
        ["role", "model", "calls", "prompt tokens", "completion tokens", "USD"],
        [
            [
                row["role"],
                row["model"],
                row["calls"],
                row["prompt_tokens"],
                row["completion_tokens"],
                "unknown" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}",
            ]
            for row in calls
        ],
    )
    if total["accepted"]:
        text += (
            f"\n\n{cost / total['accepted']:.4f} USD per accepted session, rejected ones and retries paid for in it."
        )
    if unpriced := sum(row["unpriced"] for row in calls):
        text += f" {unpriced} calls have no known price and count as nothing."
    return text


def _cleaned(redactions: list[dict[str, Any]], benchmarks: list[dict[str, Any]], records: int) -> str:
    text = "## Scrubbed and held against benchmarks\n\n"
    if redactions:
        text += "What was replaced; `provenance.redactions` lists it per record, by kind and placeholder.\n\n" + _table(
            ["kind", "records", "places"], [[row["kind"], row["records"], row["replaced"]] for row in redactions]
        )
    else:
        text += "Nothing had to be replaced in these records."
    for row in benchmarks:
        against = json.loads(row["benchmarks"] or "null")
        text += f"\n\n{row['records']} of {records} records: " + (
            "held against no benchmark."
            if against is None
            else f"hold nothing of {', '.join(against['names'])} ({against['tasks']} tasks, {against['items']} texts; "
            f"hash `{against['hash']}`) by 13-grams of words, 8-grams of Chinese, and short prompts whole or "
            "half; user turns and tool outputs."
        )
    return text


def _by_domain(domains: list[dict[str, Any]]) -> str:
    return "## By domain\n\n" + _table(
        ["domain", "sessions", "accepted", "records", *SPLITS, "user turns", "tool calls", "failures", "recoveries"],
        [
            [
                row["domain"],
                row["sessions"],
                _share(row["accepted"], row["sessions"]),
                row["records"],
                *(row[split] for split in SPLITS),
                _mean(row["user_turns"]),
                _mean(row["tool_calls"]),
                row["failures"],
                row["recoveries"],
            ]
            for row in domains
        ],
    )


def _calls(total: dict[str, Any], outcomes: list[dict[str, Any]]) -> str:
    recovering = _share(total["with_recovery"], total["records"])
    lines = (
        "## Tool calls, failures, recoveries\n\n"
        f"{total['tool_calls_total']} tool calls; {total['failures']} failed (expected non-zero exits, such as grep's, "
        f"not counted) and {total['recoveries']} recoveries follow them; {recovering} of all records hold one. "
        "A failure is shown to the agent as it happened and labelled so, never as a success."
    )
    if outcomes:
        lines += "\n\n" + _table(["outcome", "calls"], [[row["outcome"], row["calls"]] for row in outcomes])
    return lines


def _origins(models: list[dict[str, Any]], sources: list[dict[str, Any]]) -> str:
    return "\n\n".join(
        [
            "## Models and persona lists",
            _table(
                ["intent writer", "user", "agent", "scripted", "licence", "records"],
                [
                    [
                        row["intent_writer"],
                        row["user_model"],
                        row["agent"],
                        "yes" if row["scripted"] else "no",
                        row["licence"],
                        row["records"],
                    ]
                    for row in models
                ],
            ),
            _table(
                ["persona list", "sha256", "personas", "records"],
                [[row["persona_list"], f"`{row['sha256']}`", row["personas"], row["records"]] for row in sources],
            ),
        ]
    )


def _columns() -> str:
    return (
        "## Columns\n\n"
        "`messages` (OpenAI chat; the arguments of a tool call are a JSON string), `tools` (a JSON string in Parquet, "
        "objects in JSONL), `train_mask` (a number per message, 1 = train on it: the agent's turns that the policy of masks "
        "leaves in, all others 0), "
        "`tokens` counted with `tokenizer` over the text without template marks, `domain`, `split`, `dialogue_id`, "
        "`intent_id` and `provenance` (persona and list, scenarios by content hash, models, prompts' hashes, seed, "
        "versions, redactions, run ids, licence). In Parquet a message's `extra` holds, as JSON, what has no column.\n\n"
        "Trainers that take no mask per message have to mask by role: the two agree in a record all of whose assistant "
        "messages have a 1. Where `ISE_SFT_TRAIN_FAILED_CALLS` or `ISE_SFT_TRAIN_AFTER_UNLABELLED` is false they differ, "
        "and only labels made from the mask (the format `tokenized`) are true."
    )


def _limits(models: list[dict[str, Any]], benchmarks: list[dict[str, Any]]) -> str:
    lines = [
        "- A persona is in one of train, validation and test only; these share scenarios, with other parameters.",
        "- `test_scenarios` holds the sessions with a scenario that occurs nowhere else; its personas may.",
        "- Only what the policy let through is here, so rates over the records are conditional on that; the counts are "
        "of all sessions.",
        "- Scrubbing finds secrets by form and by the name they are given; a secret that looks like a word stays.",
        "- A persona list brought by a user keeps its own licence, which is not recorded here.",
    ]
    if any(json.loads(row["benchmarks"] or "null") is None for row in benchmarks):
        lines.append("- Some or all records were not held against any benchmark.")
    if any(row["licence"] != "mit" for row in models):
        lines.append("- Output of third-party models is subject to their providers' terms; see the models above.")
    return "## Limits\n\n" + "\n".join(lines)


def _reproduce(facts: list[dict[str, Any]]) -> str:
    lines = [
        f"- `ise_assets` {row['version']}, "
        + (f"`ISE_SEED={row['seed']}`" if row["seed"] is not None else "sampled under a seed that was changed since")
        + f", tokens by `{row['tokenizer']}`"
        for row in facts
    ]
    return (
        "## How to reproduce\n\n"
        "Put the persona lists named above (same sha256) into `data/personas/`, set the models named above and the "
        "seed, and materialize all assets: `make demo`, or `ise run`. `ise show --provenance ID` walks a record back to its "
        "persona list. The records are ordered by id; the same rows "
        "give the same bytes." + ("\n\n" + "\n".join(lines) if lines else "")
    )


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else str(part)


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
