"""Token counts without a network: the cl100k_base encoding, whose file ships inside the litellm package.

It is a yardstick for lengths and budgets (Qwen's vocabulary grew out of it), not the tokenizer of any one student
model.
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktoken import Encoding
    from tokenizers import Tokenizer

TOKENIZER = "tiktoken/cl100k_base"
_CACHED_NAME = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"  # what tiktoken calls cl100k_base in its cache
_CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"


class TokenizerMissing(RuntimeError):
    """The encoding's file is not where the pinned dependency puts it."""


def count_tokens(messages: list[dict[str, Any]], tools: list[dict[str, Any]], tokenizer: str = TOKENIZER) -> int:
    """Tokens of all text a record holds: contents, names and arguments of tool calls, tool schemas; no template marks.

    Args:
        messages: OpenAI chat messages.
        tools: tool schemas.
        tokenizer: `tiktoken/cl100k_base`, or the path of a `tokenizer.json` (or of the folder that holds it).

    Raises:
        TokenizerMissing: the installed litellm does not carry the encoding, or there is no tokenizer at that path.
    """
    texts = [json.dumps(tools, ensure_ascii=False)] if tools else []
    for message in messages:
        texts.append(message.get("content") or "")
        for call in message.get("tool_calls") or []:
            texts += [call["function"]["name"], call["function"]["arguments"]]
    if tokenizer != TOKENIZER:
        from_file = _from_file(tokenizer)
        return sum(len(found) for found in from_file.encode_batch_fast(texts, add_special_tokens=False))
    encoding = _encoding()
    return sum(len(encoding.encode_ordinary(text)) for text in texts)


@cache
def _from_file(name: str) -> Tokenizer:
    from tokenizers import Tokenizer

    path = Path(name) / "tokenizer.json" if Path(name).is_dir() else Path(name)
    if not path.is_file():
        raise TokenizerMissing(
            f"ISE_SFT_TOKENIZER is {name!r}: neither {TOKENIZER} nor the path of a tokenizer.json; correct it"
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise TokenizerMissing(f"{path} is no tokenizer.json: {error}") from error


@cache
def _encoding() -> Encoding:
    import tiktoken

    spec = find_spec("litellm")  # finds the folder without the seconds that importing the package takes
    roots = list(spec.submodule_search_locations or []) if spec else []
    folder = next((p for root in roots if (p := Path(root) / "litellm_core_utils" / "tokenizers").is_dir()), None)
    if folder is None or not (folder / _CACHED_NAME).is_file():
        raise TokenizerMissing(
            "cl100k_base was expected among the tokenizer files of the litellm package and is not there; "
            "install the pinned version of litellm"
        )
    before = os.environ.get(_CACHE_VARIABLE)
    os.environ[_CACHE_VARIABLE] = str(folder)
    try:
        return tiktoken.get_encoding("cl100k_base")
    finally:
        if before is None:
            del os.environ[_CACHE_VARIABLE]
        else:
            os.environ[_CACHE_VARIABLE] = before
