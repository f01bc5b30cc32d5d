"""Fixtures of the train stage's tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ise_assets.settings import load_settings
from ise_assets.warehouse import Warehouse
from ise_assets_tests.train.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty warehouse and exports folder, and an environment without secrets of the machine's own."""
    for name in list(os.environ):
        if any(part in name.upper() for part in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            monkeypatch.delenv(name)
    settings = load_settings(home=tmp_path, split_percent=(60, 20, 20))
    return World(Warehouse.of(settings), settings)


@pytest.fixture(scope="session")
def twelve_sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse file with the sessions of twelve personas in one domain, made once."""
    home = tmp_path_factory.mktemp("twelve")
    settings = load_settings(home=home)
    World(Warehouse.of(settings), settings).sessions(*(f"Clerk {number}" for number in range(12)))
    return Warehouse.of(settings).path


@pytest.fixture
def twelve(world: World, twelve_sessions: Path) -> World:
    """Twelve personas' sessions in one domain: every split has some."""
    shutil.copyfile(twelve_sessions, world.warehouse.path)
    return world


Exported = Callable[[], dict[str, bytes]]


@pytest.fixture
def exported(world: World) -> Exported:
    """Bytes of every file in the export folder."""

    def read() -> dict[str, bytes]:
        folder = world.settings.exports_dir / "sft"
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    return read
