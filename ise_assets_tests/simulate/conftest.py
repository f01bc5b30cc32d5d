"""Fixtures of the simulate stage's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.workspace import Backend, open_backend
from ise_assets.intent.models import Intent, Persona
from ise_assets.settings import Settings
from ise_assets.simulate.scripted import provider
from ise_assets_tests.simulate.ledger_session import ADA, make_intent


@pytest.fixture
def persona() -> Persona:
    """Who wants the ledger summed."""
    return ADA


@pytest.fixture
def intent() -> Intent:
    """A hand-made intent of that persona."""
    return make_intent()


@pytest.fixture(scope="session")
def backend() -> Backend:
    """Real workspaces."""
    return open_backend()


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with a home of their own."""
    provider.register()

    def make(**overrides: Any) -> Settings:
        return Settings(_env_file=None, **{"home": tmp_path, **overrides})  # type: ignore[call-arg]

    return make
