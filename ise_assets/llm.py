"""The one door to language models: litellm behind our own result, errors, retries and ledger.

Every role (intent writer, user, agent) is a litellm model string. litellm costs seconds to import, so it is imported
on first use. This module imports nothing of the stages: custom providers come in through `register_provider`, and the
script of the scripted teacher rides along as an extra argument that no other provider ever gets.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import ModuleType
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from ise_assets.response_cache import ResponseCache
from ise_assets.settings import SCRIPTED_MODEL, SCRIPTED_PROVIDER, Settings, SettingsError

VALID_FORMS = (
    f"{SCRIPTED_MODEL} (no key, no cost), openai/<model>, anthropic/<model>, gemini/<model>, "
    "openrouter/<vendor>/<model>, hosted_vllm/<model> (with HOSTED_VLLM_API_BASE), ollama_chat/<model>, "
    "openai/<model> with OPENAI_API_BASE for any OpenAI-compatible server"
)
_BACKOFF_S = 0.5
_BACKOFF_MAX_S = 30.0
_RETRY_AFTER_MAX_S = 300.0
_SPREAD_MAX_S = 5.0  # over which calls that were held spread out
# Providers that answer without a key; the variable, where one must be set, says where the server is.
_KEYLESS: dict[str, str | None] = {
    "hosted_vllm": "HOSTED_VLLM_API_BASE",
    "lm_studio": "LM_STUDIO_API_BASE",
    "llamafile": None,
    "ollama": None,
    "ollama_chat": None,
}
_OPENAI_BASES = ("OPENAI_API_BASE", "OPENAI_BASE_URL")
_AMBIENT: dict[str, tuple[str, ...]] = {
    "bedrock": ("AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_BEARER_TOKEN_BEDROCK"),
}
_SECRET_NAMES = ("_API_KEY", "_TOKEN", "_SECRET", "_ACCESS_KEY", "_PASSWORD")

ErrorKind = Literal["auth", "not_found", "context", "content_policy", "bad_request", "script"]
Outcome = Literal["ok", "error", "unavailable", "cancelled"]


class ModelFailure(RuntimeError):
    """A model call that gave nothing; the message names model, role, cause and remedy."""

    def __init__(self, model: str, role: str, cause: str, remedy: str) -> None:
        super().__init__(f"model {model!r} (role {role}): {cause}. {remedy}")
        self.model, self.role, self.cause, self.remedy = model, role, cause, remedy


class ModelError(ModelFailure):
    """Asking again would fail again. `kind` says what it is; `auth` and `not_found` concern every later call too."""

    def __init__(self, model: str, role: str, cause: str, remedy: str, kind: ErrorKind) -> None:
        super().__init__(model, role, cause, remedy)
        self.kind: ErrorKind = kind


class ModelUnavailable(ModelFailure):
    """The endpoint gave no answer, and the retries are used up; a later try may succeed."""


class BudgetSpent(ModelFailure):
    """The run has spent what it may; nothing was asked. The work goes on with the next run."""


class Script(Protocol):
    """Plays a role in place of a model: given the messages so far, the next assistant message (OpenAI shape)."""

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Completion:
    """A model's answer.

    `message` is the assistant message in OpenAI's shape as it came, and as it may be sent again: tool call arguments a
    JSON string, however malformed; keys without a value left out, `content` too. `cost_usd` is None where no price is
    known.
    """

    message: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    latency_ms: float
    attempts: int
    finish_reason: str

    @property
    def text(self) -> str:
        """The content, an empty string where there is none."""
        return str(self.message.get("content") or "")


@dataclass(frozen=True)
class LlmCall:
    """One request to a model, retries included: a row of `llm_calls`."""

    id: str
    role: str
    item_id: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    latency_ms: float
    attempts: int
    outcome: str
    written_at: datetime


class Gate:
    """What all calls of a run pass: a budget, a number at once, and the pause that a provider has asked for.

    After a 429 nobody knocks at that model until the time the provider named, and then not all together.
    """

    def __init__(self, concurrent: int = 0, max_cost_usd: float = 0.0, cache: ResponseCache | None = None) -> None:
        """`concurrent` calls at once and `max_cost_usd` in all; 0 means no limit. Answers in the `cache` cost nothing."""
        self.cache = cache
        self.spent_usd = 0.0
        self._max_cost_usd = max_cost_usd
        self._places = asyncio.Semaphore(concurrent) if concurrent else None
        self._held_until: dict[str, float] = {}

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return 0 < self._max_cost_usd <= self.spent_usd

    def hold(self, model: str, seconds: float) -> None:
        """Let nobody through to `model` for so many seconds."""
        self._held_until[model] = max(self._held_until.get(model, 0.0), time.monotonic() + seconds)

    @asynccontextmanager
    async def passage(self, model: str, role: str) -> AsyncIterator[None]:
        """Waits until the call may go, and counts it until it is over.

        Raises:
            BudgetSpent: nothing may go any more.
        """
        async with self._places or nullcontext():
            while (left := self._held_until.get(model, 0.0) - time.monotonic()) > 0:  # noqa: ASYNC110  (a time, no event)
                await asyncio.sleep(left + random.uniform(0, min(max(left, 0.1), _SPREAD_MAX_S)))
            if self.spent:
                raise BudgetSpent(
                    model,
                    role,
                    f"the run has spent ${self.spent_usd:.2f} of ${self._max_cost_usd:.2f}",
                    "Run again to go on, or raise ISE_MAX_COST_USD.",
                )
            yield


@dataclass
class Ledger:
    """What calls cost: one row a call, failed ones too. `gate` is what they pass, together with those of other ledgers."""

    gate: Gate = field(default_factory=Gate)
    calls: list[LlmCall] = field(default_factory=list)

    @property
    def prompt_tokens(self) -> int:
        """Tokens sent."""
        return sum(call.prompt_tokens for call in self.calls)

    @property
    def completion_tokens(self) -> int:
        """Tokens received."""
        return sum(call.completion_tokens for call in self.calls)

    @property
    def cost_usd(self) -> float:
        """US dollars, over the calls whose price is known."""
        return sum(call.cost_usd or 0.0 for call in self.calls)

    def rows(self, *, domain: str, run_id: str, spec_hash: str) -> list[dict[str, Any]]:
        """Rows of `llm_calls`."""
        place = {"domain": domain, "run_id": run_id, "spec_hash": spec_hash}
        return [{**vars(call), **place} for call in self.calls]


@cache
def load_litellm() -> ModuleType:
    """litellm, imported on first use (seconds of CPU) and set up; import it by no other way."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else the import fetches prices from the network
    os.environ.setdefault("MAX_BASE64_LENGTH_FOR_LOGGING", "0")  # else every call's messages are searched for pictures
    import litellm

    litellm.telemetry = False
    litellm.drop_params = True
    litellm.suppress_debug_info = True
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return litellm


def register_provider(provider: str, handler: Any) -> None:
    """Make `handler` (a `litellm.CustomLLM`) answer for models `provider/...`; a second call replaces the first."""
    litellm: Any = load_litellm()
    others = [item for item in litellm.custom_provider_map if item["provider"] != provider]
    litellm.custom_provider_map = [*others, {"provider": provider, "custom_handler": handler}]
    litellm.utils.custom_llm_setup()


async def close_clients() -> None:
    """Close litellm's connections; call it before an event loop ends, they belong to it."""
    if load_litellm.cache_info().currsize:
        await load_litellm().close_litellm_async_clients()


def check_models(settings: Settings) -> None:
    """Refuse, before any work, a model that cannot be called.

    Prices that the settings name are made known.

    Raises:
        SettingsError: naming the setting, the model, and the variable that is missing or the forms that are valid; or a budget is
            set and a model's price is not known.
    """
    for model, (sent, received) in settings.model_prices.items():
        _set_price(model, sent, received)
        _priced[model] = True
    for role, model in settings.models.items():
        variable = "ISE_INTENT_MODEL" if role == "intent_writer" else f"ISE_{role.upper()}_MODEL"
        if _provider_prefix(model) == SCRIPTED_PROVIDER:
            if model != SCRIPTED_MODEL:
                raise SettingsError(f"{variable}={model}: no such scripted model; valid: {SCRIPTED_MODEL}")
            continue
        _check_model(variable, model, os.environ)
        if settings.max_cost_usd and not _is_priced(model):
            raise SettingsError(
                f"ISE_MAX_COST_USD is set, but what {variable}={model} costs is not known; say it in ISE_MODEL_PRICES, like "
                f"{model}=0.5:1.5 (US dollars per million tokens sent and received; 0:0 for a server of your own)"
            )


def price_of(settings: Settings, model: str) -> tuple[float, float] | None:
    """US dollars per million tokens sent and received, by ISE_MODEL_PRICES or litellm's own list; None where nobody knows."""
    if model == SCRIPTED_MODEL:
        return 0.0, 0.0
    if model in settings.model_prices:
        return settings.model_prices[model]
    if not _is_priced(model):
        return None
    known = load_litellm().get_model_info(model)
    return known["input_cost_per_token"] * 1e6, (known["output_cost_per_token"] or 0.0) * 1e6


_priced: dict[str, bool] = {}


def _is_priced(model: str) -> bool:
    """Whether a price is known. A model without one is made known as free: its price would be looked for at every call."""
    if model not in _priced:
        litellm = load_litellm()
        try:
            _priced[model] = litellm.get_model_info(model).get("input_cost_per_token") is not None
        except Exception:  # noqa: BLE001  (the library raises nothing more special)
            _priced[model] = False
        if not _priced[model]:
            _set_price(model, 0.0, 0.0)
    return _priced[model]


def _set_price(model: str, sent: float, received: float) -> None:
    """US dollars per million tokens."""
    price = {"input_cost_per_token": sent / 1e6, "output_cost_per_token": received / 1e6}
    load_litellm().register_model({model: {"litellm_provider": _provider_prefix(model), "mode": "chat", **price}})


def _check_model(variable: str, model: str, environ: Mapping[str, str]) -> None:
    litellm = load_litellm()
    try:
        _, provider, _, _ = litellm.get_llm_provider(model=model)
    except litellm.exceptions.BadRequestError as error:
        raise SettingsError(f"{variable}={model}: unknown model provider; valid forms: {VALID_FORMS}") from error
    if provider in _KEYLESS:
        where = _KEYLESS[provider]
        if where and not environ.get(where):
            raise SettingsError(
                f"{variable}={model}: {where} is not set; set it to the server's address, like http://localhost:8000/v1"
            )
        return
    if provider == "openai" and _has_own_server(environ):
        return
    if any(environ.get(name) for name in _AMBIENT.get(provider, ())):
        return
    found = litellm.validate_environment(model=model)
    if not found["keys_in_environment"] and found["missing_keys"]:
        missing = ", ".join(found["missing_keys"])
        raise SettingsError(
            f"{variable}={model}: no key for {provider}: {missing} is not set; export it, put it into .env, "
            f"or use another model: {VALID_FORMS}"
        )


class Pace:
    """Spreads calls evenly, at most `per_minute` of them in a minute; 0 lets all through at once."""

    def __init__(self, per_minute: int) -> None:
        self._every_s = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    async def turn(self) -> None:
        """Returns when the caller may go; callers go in the order in which they came."""
        now = time.monotonic()
        at = max(now, self._free_at)
        self._free_at = at + self._every_s
        if at > now:
            await asyncio.sleep(at - now)


async def complete(
    *,
    role: str,
    model: str,
    messages: list[dict[str, Any]],
    item_id: str,
    ledger: Ledger,
    tools: list[dict[str, Any]] | None = None,
    response_format: type[BaseModel] | None = None,
    timeout_s: float,
    retries: int,
    script: Script | None = None,
) -> Completion:
    """Ask `model` for the next assistant message, and account for it in `ledger`.

    Args:
        role: who asks (intent_writer, user, agent, judge); for the ledger and error messages.
        model: a litellm model string.
        messages: OpenAI chat messages; not changed.
        item_id: what the call was made for (an intent's or a dialogue's id).
        ledger: gets one row, whatever happens.
        tools: OpenAI tool definitions.
        response_format: the pydantic model that the content should be JSON of; asked for, not validated here.
        timeout_s: seconds one attempt may take.
        retries: further attempts after 429, 5xx, time-outs and broken connections. Retry-After is honoured.
        script: sent along only when the provider is `scripted`.

    Raises:
        ModelError: the call is refused for good.
        ModelUnavailable: no answer after the retries.
        BudgetSpent: the ledger's gate lets nothing through any more.
    """
    arguments: dict[str, Any] = {"model": model, "messages": messages, "timeout": timeout_s, "max_retries": 0}
    if tools:
        arguments["tools"] = tools
    if response_format is not None:
        arguments["response_format"] = response_format
    provider = _provider_prefix(model)
    if provider == SCRIPTED_PROVIDER:
        arguments["script"] = script
        retries = 0
    else:
        _is_priced(model)
    if provider == "openai" and _has_own_server(os.environ) and not os.environ.get("OPENAI_API_KEY"):
        arguments["api_key"] = "none"  # the client insists on one; a local server does not read it

    started = time.perf_counter()
    attempts = 0
    outcome: Outcome = "cancelled"
    completion: Completion | None = None
    cache = None if provider == SCRIPTED_PROVIDER else ledger.gate.cache
    key = "" if cache is None else cache.key(_shaped_by(arguments, item_id, response_format))
    try:
        if cache is not None and (known := cache.get(key)) is not None:
            completion, outcome = Completion(**{**known, "cost_usd": 0.0, "latency_ms": 0.0, "attempts": 0}), "ok"
            return completion
        while True:
            attempts += 1
            try:
                async with ledger.gate.passage(model, role):
                    response = await _attempt(arguments, timeout_s)
                completion = _completion(response, _is_priced(model), (time.perf_counter() - started) * 1000, attempts)
                outcome = "ok"
                if cache is not None and (completion.text.strip() or completion.message.get("tool_calls")):
                    cache.put(key, vars(completion))
                return completion
            except BudgetSpent:
                outcome = "error"
                raise
            except Exception as error:
                permanent = _permanent(error, model, role)
                if permanent is not None:
                    outcome = "error"
                    raise permanent from error
                if attempts > retries:
                    outcome = "unavailable"
                    raise _unavailable(error, model, role, attempts) from error
                pause = _pause(error, attempts)
                if _is_rate_limit(error):
                    ledger.gate.hold(model, pause)
                else:
                    await asyncio.sleep(pause)
    finally:
        ledger.gate.spent_usd += (completion.cost_usd if completion else None) or 0.0
        ledger.calls.append(
            LlmCall(
                id=uuid.uuid4().hex,
                role=role,
                item_id=item_id,
                model=model,
                prompt_tokens=completion.prompt_tokens if completion else 0,
                completion_tokens=completion.completion_tokens if completion else 0,
                cost_usd=completion.cost_usd if completion else None,
                latency_ms=(time.perf_counter() - started) * 1000,
                attempts=attempts,
                outcome=outcome,
                written_at=datetime.now(UTC),
            )
        )


def _shaped_by(arguments: Mapping[str, Any], item_id: str, response_format: type[BaseModel] | None) -> dict[str, Any]:
    """All that an answer depends on, as JSON values; the item, too: another rollout is to be another session."""
    asked = {name: arguments.get(name) for name in ("model", "messages", "tools")}
    schema = response_format.model_json_schema() if response_format else None
    bases = {name: value for name, value in os.environ.items() if name.endswith(("_API_BASE", "_BASE_URL"))}
    return {**asked, "item": item_id, "response_format": schema, "bases": bases}


async def _attempt(arguments: dict[str, Any], timeout_s: float) -> Any:
    async with asyncio.timeout(timeout_s):  # litellm's own limit restarts with every chunk that a server trickles
        response = await load_litellm().acompletion(**arguments)
    if not getattr(response, "choices", None):
        raise ConnectionError("the endpoint answered without choices")
    return response


def _completion(response: Any, priced: bool, latency_ms: float, attempts: int) -> Completion:
    choice = response.choices[0]
    usage = getattr(response, "usage", None)
    hidden = getattr(response, "_hidden_params", None) or {}
    return Completion(
        message=_plain_message(choice.message),
        prompt_tokens=int(getattr(usage, "prompt_tokens", 0) or 0),
        completion_tokens=int(getattr(usage, "completion_tokens", 0) or 0),
        cost_usd=hidden.get("response_cost") if priced else None,
        latency_ms=latency_ms,
        attempts=attempts,
        finish_reason=str(choice.finish_reason or ""),
    )


def _plain_message(message: Any) -> dict[str, Any]:
    body: dict[str, Any] = message.model_dump(exclude_none=True)
    plain: dict[str, Any] = {"role": "assistant"}
    if "content" in body:
        plain["content"] = body.pop("content")
    calls = body.pop("tool_calls", None)
    if calls:
        plain["tool_calls"] = [
            {
                "id": call.get("id"),
                "type": call.get("type") or "function",
                "function": {
                    "name": call.get("function", {}).get("name"),
                    "arguments": call.get("function", {}).get("arguments", ""),
                },
            }
            for call in calls
        ]
    extra = body.pop("provider_specific_fields", None) or {}  # litellm's own drawer, mostly of empty things
    if kept := {key: value for key, value in extra.items() if value is not None}:
        body["provider_specific_fields"] = kept
        if not plain.get("content") and isinstance(kept.get("refusal"), str):
            plain["content"] = kept["refusal"]  # where a model refuses, these are the words it answers with
    rest = {key: value for key, value in body.items() if key != "role" and value not in ({}, [], "")}
    return {**plain, **rest}


def _has_own_server(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in _OPENAI_BASES)


def _provider_prefix(model: str) -> str:
    return model.split("/", 1)[0] if "/" in model else ""


def _permanent(error: Exception, model: str, role: str) -> ModelError | None:
    if _provider_prefix(model) == SCRIPTED_PROVIDER:
        return ModelError(model, role, _cause(error), "The script or the scenario it plays is at fault.", "script")
    e = load_litellm().exceptions
    status = getattr(error, "status_code", None)
    if isinstance(error, (e.AuthenticationError, e.PermissionDeniedError)) or status in (401, 403):
        remedy = "Check the provider's API key and what it may use (`ise doctor`)."
        return ModelError(model, role, _cause(error), remedy, "auth")
    if isinstance(error, e.NotFoundError):
        return ModelError(model, role, _cause(error), "Check the model's name and the server's address.", "not_found")
    if isinstance(error, e.ContextWindowExceededError):
        return ModelError(model, role, _cause(error), "Use a model with a larger context.", "context")
    if isinstance(error, e.ContentPolicyViolationError):
        return ModelError(model, role, _cause(error), "The provider refuses this content.", "content_policy")
    if isinstance(error, e.RateLimitError) and "insufficient_quota" in str(error):
        return ModelError(model, role, _cause(error), "The account has no credit left.", "auth")
    transient = (
        e.RateLimitError,
        e.Timeout,
        e.InternalServerError,
        e.ServiceUnavailableError,
        e.APIConnectionError,
        TimeoutError,
        OSError,
    )
    if isinstance(error, transient):
        return None
    if isinstance(status, int) and (status >= 500 or status in (408, 409, 425, 429)):
        return None
    return ModelError(model, role, _cause(error), "The provider does not accept this request.", "bad_request")


def _is_rate_limit(error: Exception) -> bool:
    return isinstance(error, load_litellm().exceptions.RateLimitError) or getattr(error, "status_code", None) == 429


def _unavailable(error: Exception, model: str, role: str, attempts: int) -> ModelUnavailable:
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return ModelUnavailable(
        model,
        role,
        f"no answer after {tries}; last: {_cause(error)}",
        "See whether the endpoint is up, and its rate limit; ISE_MODEL_RETRIES and ISE_MODEL_TIMEOUT_S give it time.",
    )


def _cause(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    for name, value in os.environ.items():
        if len(value) >= 8 and name.endswith(_SECRET_NAMES):
            text = text.replace(value, "***")
    return f"{type(error).__name__}: {text[:500]}"


def _pause(error: Exception, attempts: int) -> float:
    asked = _retry_after(error)
    if asked is not None:
        return min(asked, _RETRY_AFTER_MAX_S) * random.uniform(1.0, 1.1)
    ceiling: float = min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** (attempts - 1))
    return random.uniform(ceiling / 2, ceiling)


def _retry_after(error: Exception) -> float | None:
    headers: Any = getattr(error, "litellm_response_headers", None)
    if headers is None:
        headers = getattr(getattr(error, "response", None), "headers", None)
    value = (headers or {}).get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:  # neither seconds nor a date: as good as no header
        return None
