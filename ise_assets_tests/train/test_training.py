"""The end product does what it is for: TRL's trainer takes the export as it is, on a real small model, and learns from it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from ise_assets.stage import StageRun
from ise_assets.train.export import FORMATS, read_examples, write_format, write_pairs
from ise_assets.train.masks import IGNORED, Labelled, label
from ise_assets.train.split import build_split
from ise_assets_tests.benchmarks.corpus import play_sessions
from ise_assets_tests.train.small_models import load_smollm2, save_smollm2_tokenizer
from ise_assets_tests.train.world import World, dialogue, ugly_json

STEPS = 20
LENGTH = 512
"""Tokens of a sample, the last ones of a session. Whole sessions (10,000 and more) are for accelerators."""


def labelled(run: StageRun, tokenizer: Any) -> list[Labelled]:
    return [label(tokenizer, example) for example in read_examples(run.warehouse)]


def test_a_small_model_learns_from_the_export_of_real_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import torch
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    run = play_sessions(tmp_path / "home", ("file-io",), 6)
    build_split(run, "file-io")
    folder = run.settings.exports_dir / "trl"
    write_format(run.warehouse, FORMATS["trl"], folder)
    data = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))["train"]
    assert len(data) >= 4
    tokenizer = AutoTokenizer.from_pretrained(str(save_smollm2_tokenizer(tmp_path / "tokenizer", "chatml-tools")))
    torch.manual_seed(0)
    trainer = SFTTrainer(
        model=load_smollm2(),
        args=SFTConfig(
            output_dir=str(tmp_path / "run"),
            assistant_only_loss=True,
            max_length=LENGTH,
            truncation_mode="keep_end",
            max_steps=STEPS,
            per_device_train_batch_size=1,
            learning_rate=2e-4,
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            bf16=True,
            seed=0,
        ),
        train_dataset=data,
        processing_class=tokenizer,
    )
    # what the trainer will compute the loss on is what our labels say, token by token
    ours = {tuple(found.input_ids[-LENGTH:]): found.labels[-LENGTH:] for found in labelled(run, tokenizer)}
    assert len(trainer.train_dataset) >= 4
    for row in trainer.train_dataset:
        assert ours[tuple(row["input_ids"])] == row["labels"] and set(row["labels"]) > {IGNORED}
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == STEPS
    first, last = sum(losses[:4]) / 4, sum(losses[-4:]) / 4
    print(f"loss {first:.3f} to {last:.3f} in {STEPS} steps of {LENGTH} tokens")
    assert last < 0.7 * first


def test_dpo_takes_the_pairs_as_they_are(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import torch
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    rejected = dialogue("Ada")
    rejected[-1]["content"] = "No idea."
    world.session("Ada")
    world.session("Ada", rollout_index=1, accepted=False, messages=ugly_json(rejected))
    build_split(world.run(), "file-io")
    folder = world.settings.exports_dir / "preference"
    assert write_pairs(world.warehouse, folder) == 1
    (data,) = load_dataset(str(folder), cache_dir=str(tmp_path / "cache")).values()
    tokenizer = AutoTokenizer.from_pretrained(str(save_smollm2_tokenizer(tmp_path / "tokenizer", "chatml-tools")))
    torch.manual_seed(0)
    model = load_smollm2()
    trainer = DPOTrainer(
        model=model,
        ref_model=copy.deepcopy(model),
        args=DPOConfig(
            output_dir=str(tmp_path / "run"),
            max_length=None,
            max_steps=4,
            per_device_train_batch_size=1,
            learning_rate=1e-5,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            bf16=True,
            seed=0,
        ),
        train_dataset=data,
        processing_class=tokenizer,
    )
    (row,) = trainer.train_dataset
    shown = {name: tokenizer.decode(row[f"{name}_ids"]) for name in ("prompt", "chosen", "rejected")}
    assert '"name": "exec"' in shown["prompt"] and dialogue("Ada")[1]["content"] in shown["prompt"]
    assert "No idea." in shown["rejected"] and dialogue("Ada")[-1]["content"] in shown["chosen"]
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 4 and abs(losses[0] - 0.693) < 0.01 and losses[-1] < 0.6
