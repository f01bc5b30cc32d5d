"""The scripted teacher as a litellm provider: `scripted/...` models answer from the script that comes with the call.

So a scripted session takes the very same path as one with real models, and costs nothing. The script arrives in
litellm's `optional_params` and never in the messages.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ise_assets.llm import load_litellm, register_provider
from ise_assets.settings import SCRIPTED_MODEL, SCRIPTED_PROVIDER

_CHARS_PER_TOKEN = 4


class ScriptMissing(RuntimeError):
    """A scripted model was called without a script."""


def register() -> None:
    """Make litellm know the provider `scripted`; calling it again changes nothing."""
    register_provider(SCRIPTED_PROVIDER, _handler())


@cache
def _handler() -> Any:
    price = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}  # unknown, it would be looked for at every call
    load_litellm().register_model({SCRIPTED_MODEL: {"litellm_provider": SCRIPTED_PROVIDER, "mode": "chat", **price}})
    from litellm.llms.custom_llm import CustomLLM
    from litellm.types.utils import Choices, Message, ModelResponse, Usage

    class ScriptedTeacher(CustomLLM):
        """Answers with what the call's script replies; token counts are estimates (4 characters each)."""

        def completion(self, *args: Any, **kwargs: Any) -> ModelResponse:
            return self._answer(kwargs["model"], kwargs["messages"], kwargs["optional_params"])

        async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:
            return self._answer(kwargs["model"], kwargs["messages"], kwargs["optional_params"])

        def _answer(self, model: str, messages: list[dict[str, Any]], optional: dict[str, Any]) -> ModelResponse:
            script = optional.get("script")
            if script is None:
                raise ScriptMissing(
                    f"the model {SCRIPTED_PROVIDER}/{model} plays a script, and this call came without one; "
                    "use it through a stage, or name a real model"
                )
            message = script.reply(messages)
            sent = sum(_characters(item) for item in messages)
            received = _characters(message)
            usage = Usage(
                prompt_tokens=sent // _CHARS_PER_TOKEN,
                completion_tokens=received // _CHARS_PER_TOKEN,
                total_tokens=sent // _CHARS_PER_TOKEN + received // _CHARS_PER_TOKEN,
            )
            reason = "tool_calls" if message.get("tool_calls") else "stop"
            choice = Choices(finish_reason=reason, index=0, message=Message(**{"role": "assistant", **message}))
            response = ModelResponse(model=model, choices=[choice], usage=usage)
            response._hidden_params["response_cost"] = 0.0
            return response

    return ScriptedTeacher()


def _characters(message: dict[str, Any]) -> int:
    content = message.get("content")
    calls = message.get("tool_calls")
    text = content if isinstance(content, str) else json.dumps(content) if content else ""
    return len(text) + (len(json.dumps(calls)) if calls else 0)
