"""The viewer's pages: read-only, offline, every value escaped, no script but its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from ise_assets.execute.models import FailureClass, Outcome
from ise_assets.execute.tool_schemas import TOOLS
from ise_assets.intent.models import DOMAINS
from ise_assets.simulate.models import SessionStatus
from ise_assets.view.sessions import PAGE, SORTS, Filters, list_sessions, read_session
from ise_assets.warehouse import Warehouse, WarehouseError

_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
_HEADERS = {
    "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_CHOICES = {
    "domains": DOMAINS,
    "statuses": SessionStatus.__args__,  # type: ignore[attr-defined]
    "tools": [tool["function"]["name"] for tool in TOOLS],
    "failures": FailureClass.__args__,  # type: ignore[attr-defined]
    "outcomes": Outcome.__args__,  # type: ignore[attr-defined]
    "sorts": SORTS,
}


def make_app(warehouse: Warehouse, hosts: list[str]) -> Starlette:
    """The application.

    Args:
        hosts: names it answers to; a page of somebody else's that points its own name here gets nothing.
    """
    templates = Jinja2Templates(directory=_HERE / "templates")
    templates.env.trim_blocks = templates.env.lstrip_blocks = True

    def page(request: Request, name: str, status: int = 200, **values: Any) -> Response:
        return templates.TemplateResponse(request, name, {**_CHOICES, **values}, status_code=status)

    def trouble(request: Request, status: int, words: str) -> Response:
        return page(request, "trouble.html", status, words=words)

    def sessions(request: Request) -> Response:
        try:
            filters = Filters.model_validate(dict(request.query_params))
        except ValidationError as error:
            wrong = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_url=False))
            return trouble(request, 400, f"This list cannot be narrowed so: {wrong}")
        if not warehouse.exists():
            return trouble(request, 404, f"{warehouse.name} is not there yet. Run `make demo` or `ise run` first.")
        rows, total = list_sessions(warehouse, filters)

        def link(number: int) -> str:
            return "/?" + urlencode({**filters.given(), "page": number})

        pages = -(-total // PAGE)
        return page(
            request,
            "sessions.html",
            rows=rows,
            total=total,
            filters=filters,
            pages=pages,
            earlier=link(filters.page - 1) if filters.page > 1 else None,
            later=link(filters.page + 1) if filters.page < pages else None,
        )

    def session(request: Request) -> Response:
        identity = request.path_params["identity"]
        found = read_session(warehouse, identity) if warehouse.exists() else None
        if found is None:
            return trouble(request, 404, f"There is no session {identity}.")
        return page(request, "session.html", session=found)

    def broken(request: Request, error: Exception) -> Response:
        return trouble(request, 503, str(error))

    return Starlette(
        routes=[
            Route("/", sessions),
            Route("/session/{identity}", session, name="session"),
            Mount("/static", StaticFiles(directory=_HERE / "static"), name="static"),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(BaseHTTPMiddleware, dispatch=_guarded),
        ],
        exception_handlers={WarehouseError: broken},
    )


async def _guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.update(_HEADERS)
    return response


def serve(warehouse: Warehouse, host: str, port: int) -> None:
    """Serve until Ctrl-C."""
    import uvicorn

    uvicorn.run(make_app(warehouse, [host, "127.0.0.1", "localhost"]), host=host, port=port, log_level="warning")
