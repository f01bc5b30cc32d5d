"""Model calls against a loopback OpenAI-compatible server that keeps what it was sent, and against scripts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import BaseModel

from ise_assets import llm
from ise_assets.llm import Ledger, ModelError, ModelUnavailable, Pace, check_models, close_clients, complete
from ise_assets.settings import SettingsError, load_settings
from ise_assets.simulate.scripted import provider

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "exec", "parameters": {"type": "object"}}}


class Answer(BaseModel):
    number: int


class Echo:
    """A script that answers in a fixed way and remembers nothing but what it was asked."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.seen: list[dict[str, Any]] = []

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        self.seen = messages
        return self.message


def chat(message: dict[str, Any], finish_reason: str = "stop") -> web.Response:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return web.json_response(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


class Server:
    """Answers with what is queued, one entry a request, the last one for ever; keeps the request bodies."""

    def __init__(self, *answers: Callable[[], web.Response | Awaitable[web.Response]]) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        response = answer()
        return response if isinstance(response, web.Response) else await response

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> Any:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        for variable in ("OPENAI_API_BASE", "HOSTED_VLLM_API_BASE"):
            patch.setenv(variable, f"http://127.0.0.1:{port}/v1")
        patch.delenv("OPENAI_API_KEY", raising=False)
        try:
            yield self
        finally:
            await close_clients()
            await runner.cleanup()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "_BACKOFF_S", 0.01)


def ask(
    server: Server, patch: pytest.MonkeyPatch, model: str = "openai/test", ledger: Ledger | None = None, **options: Any
) -> llm.Completion:
    async def run() -> llm.Completion:
        async with server.running(patch):
            arguments: dict[str, Any] = {"timeout_s": 10.0, "retries": 3, "messages": HELLO, **options}
            return await complete(
                role="agent", model=model, item_id="i1", ledger=ledger if ledger is not None else Ledger(), **arguments
            )

    return asyncio.run(run())


def failing(status: int, message: str = "no", **headers: str) -> Callable[[], web.Response]:
    return lambda: web.json_response({"error": {"message": message, "type": "x"}}, status=status, headers=headers)


@pytest.mark.parametrize("model", ["openai/test", "hosted_vllm/test"])
def test_the_script_never_leaves_for_a_real_provider(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(lambda: chat({"content": "hi"}))
    done = ask(server, monkeypatch, model, script=Echo({"content": "from the script"}), tools=[TOOL])
    assert done.message == {"role": "assistant", "content": "hi"}
    (body,) = server.bodies
    assert "script" not in str(body).lower()
    assert body["messages"] == HELLO
    assert body["tools"] == [TOOL]
    assert set(body) <= {"model", "messages", "tools", "max_retries", "stream"} - {"max_retries"}


def test_tool_calls_come_back_verbatim_even_when_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [{"id": "a1", "type": "function", "function": {"name": "exec", "arguments": '{"command": "ls'}}]
    server = Server(lambda: chat({"content": None, "tool_calls": calls}, "tool_calls"))
    done = ask(server, monkeypatch)
    assert done.message == {"role": "assistant", "tool_calls": calls}
    assert (done.finish_reason, done.prompt_tokens, done.completion_tokens, done.text) == ("tool_calls", 11, 7, "")


@pytest.mark.parametrize("model", ["openai/test", "hosted_vllm/test"])
def test_a_conversation_is_sent_as_it_is_kept(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = {"id": "a1", "type": "function", "function": {"name": "exec", "arguments": '{"command": "ls'}}
    kept = [
        {"role": "system", "content": "Be brief."},
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a1", "name": "exec", "content": "Error: not JSON"},
        {"role": "assistant", "content": "", "tool_calls": [{**call, "id": "a2"}]},
        {"role": "tool", "tool_call_id": "a2", "name": "exec", "content": ""},
    ]
    server = Server(lambda: chat({"content": "hi"}))
    before = json.dumps(kept)
    ask(server, monkeypatch, model, messages=kept, tools=[TOOL])
    assert server.bodies[0]["messages"] == json.loads(before)
    assert json.dumps(kept) == before


def test_a_response_format_is_sent_as_a_strict_json_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(lambda: chat({"content": '{"number": 3}'}))
    done = ask(server, monkeypatch, response_format=Answer)
    assert Answer.model_validate_json(done.text).number == 3
    assert server.bodies[0]["response_format"]["json_schema"]["strict"] is True


def test_a_rate_limit_is_waited_out_as_the_server_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(failing(429, **{"Retry-After": "1"}), lambda: chat({"content": "ok"}))
    ledger = Ledger()
    started = time.monotonic()
    done = ask(server, monkeypatch, ledger=ledger)
    assert time.monotonic() - started >= 1.0
    assert (done.attempts, done.text) == (2, "ok")
    assert [(call.outcome, call.attempts, call.role, call.item_id) for call in ledger.calls] == [
        ("ok", 2, "agent", "i1")
    ]


def test_server_errors_and_empty_bodies_are_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(
        failing(500), failing(503), lambda: web.json_response({"choices": []}), lambda: chat({"content": "ok"})
    )
    assert ask(server, monkeypatch).attempts == 4


def test_an_endpoint_that_stays_down_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()
    with pytest.raises(
        ModelUnavailable, match=r"'openai/test' \(role agent\): no answer after 2 attempts.*ISE_MODEL_RETRIES"
    ):
        ask(Server(failing(502)), monkeypatch, ledger=ledger, retries=1)
    assert [(call.outcome, call.attempts, call.cost_usd) for call in ledger.calls] == [("unavailable", 2, None)]


def test_a_refused_connection_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://127.0.0.1:9/v1")

    async def run() -> None:
        try:
            await complete(
                role="user", model="hosted_vllm/x", messages=HELLO, item_id="i", ledger=Ledger(), timeout_s=5, retries=1
            )
        finally:
            await close_clients()

    with pytest.raises(ModelUnavailable, match="2 attempts"):
        asyncio.run(run())


def test_a_hanging_endpoint_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> web.Response:
        await asyncio.sleep(3)
        return chat({"content": "late"})

    with pytest.raises(ModelUnavailable, match="Timeout"):
        ask(Server(hang), monkeypatch, timeout_s=0.3, retries=0)


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "auth"), (404, "not_found"), (400, "bad_request")])
def test_a_refusal_is_permanent_and_asked_once(status: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret-value")
    server = Server(failing(status, "denied for sk-very-secret-value"))
    with pytest.raises(ModelError) as caught:
        ask(server, monkeypatch)
    assert caught.value.kind == kind
    assert len(server.bodies) == 1
    assert "sk-very-secret-value" not in str(caught.value)


def test_cancelling_a_call_still_accounts_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()

    async def hang() -> web.Response:
        await asyncio.sleep(3)
        return chat({"content": "late"})

    async def run() -> None:
        async with Server(hang).running(monkeypatch):
            task = asyncio.create_task(
                complete(
                    role="agent", model="openai/t", messages=HELLO, item_id="i", ledger=ledger, timeout_s=9, retries=0
                )
            )
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert [call.outcome for call in ledger.calls] == ["cancelled"]


def test_a_scripted_model_answers_from_its_script_at_no_cost() -> None:
    provider.register()
    provider.register()
    calls = [{"id": "c1", "type": "function", "function": {"name": "exec", "arguments": '{"command": "ls"}'}}]
    script = Echo({"role": "assistant", "content": "Looking.", "tool_calls": calls})
    ledger = Ledger()
    done = asyncio.run(
        complete(
            role="agent",
            model="scripted/teacher",
            messages=HELLO,
            item_id="i",
            ledger=ledger,
            tools=[TOOL],
            timeout_s=5,
            retries=2,
            script=script,
        )
    )
    assert done.message == {"role": "assistant", "content": "Looking.", "tool_calls": calls}
    assert done.cost_usd == 0.0 and done.prompt_tokens > 0
    assert script.seen == HELLO


@pytest.mark.parametrize("script", [None, Echo({"content": 3})])
def test_a_scripted_model_without_a_usable_script_fails_at_once(script: Echo | None) -> None:
    provider.register()
    started = time.monotonic()
    with pytest.raises(ModelError, match="scripted/teacher") as caught:
        asyncio.run(
            complete(
                role="agent",
                model="scripted/teacher",
                messages=HELLO,
                item_id="i",
                ledger=Ledger(),
                timeout_s=5,
                retries=5,
                script=script,
            )
        )
    assert caught.value.kind == "script"
    assert time.monotonic() - started < 5


def test_a_scripted_call_costs_little_cpu() -> None:
    provider.register()
    script = Echo({"content": "ok"})
    messages = HELLO * 40

    async def run(count: int) -> float:
        started = time.process_time()
        for _ in range(count):
            await complete(
                role="user",
                model="scripted/teacher",
                messages=messages,
                item_id="i",
                ledger=Ledger(),
                timeout_s=5,
                retries=0,
                script=script,
            )
        return (time.process_time() - started) / count

    asyncio.run(run(20))
    assert asyncio.run(run(100)) < 0.010  # 2 ms measured; the margin is for slow machines


@pytest.mark.parametrize(
    ("model", "environment", "message"),
    [
        ("nonsense/x", {}, "ISE_AGENT_MODEL=nonsense/x: unknown model provider; valid forms: scripted/teacher"),
        ("gpt-nobody-knows", {}, "unknown model provider"),
        ("openai/gpt-4o", {}, "OPENAI_API_KEY is not set"),
        ("anthropic/claude-sonnet-4-5", {}, "ANTHROPIC_API_KEY is not set"),
        ("hosted_vllm/qwen", {}, "HOSTED_VLLM_API_BASE is not set"),
        ("scripted/genius", {}, "no such scripted model; valid: scripted/teacher"),
        ("openai/gpt-4o", {"OPENAI_API_KEY": "k"}, None),
        ("openai/local", {"OPENAI_API_BASE": "http://localhost:1/v1"}, None),
        ("hosted_vllm/qwen", {"HOSTED_VLLM_API_BASE": "http://localhost:1/v1"}, None),
        ("ollama_chat/llama3", {}, None),
        ("scripted/teacher", {}, None),
    ],
)
def test_models_are_checked_before_any_work(
    model: str, environment: dict[str, str], message: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "HOSTED_VLLM_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(agent_model=model)
    if message is None:
        check_models(settings)
    else:
        with pytest.raises(SettingsError) as caught:
            check_models(settings)
        assert message in str(caught.value)


def test_a_pace_spreads_calls_and_lets_them_through_in_order() -> None:
    async def went(pace: Pace, count: int) -> tuple[list[int], float]:
        order: list[int] = []

        async def one(number: int) -> None:
            await pace.turn()
            order.append(number)

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(number))
        return order, time.monotonic() - began

    order, took = asyncio.run(went(Pace(1_200), 6))
    assert order == list(range(6)) and took >= 5 * 0.05
    assert asyncio.run(went(Pace(0), 6))[1] < 0.05
