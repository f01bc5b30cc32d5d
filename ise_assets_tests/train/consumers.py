"""The readers of our exports, from where `.ci/setup consumers` has put them: their own code, without what it drags in."""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from ise_assets.settings import PROJECT

FOLDER = PROJECT / ".venv" / "consumers"


def need(name: str) -> Path:
    """The folder, on the path; where it lacks `name` the test is skipped, in CI it fails."""
    if not (FOLDER / name).exists():
        message = f"EXPORTS NOT READ BY {name}: it is not in {FOLDER}; run .ci/setup consumers"
        if os.environ.get("ISE_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return FOLDER


def llama_factory() -> Any:
    """Its modules of converters, of `dataset_info.json` and of formatters; the package's own `__init__` would load trainers."""
    folder = need("llamafactory")
    for name in ("llamafactory", "llamafactory.data", "llamafactory.extras"):
        if name not in sys.modules:
            module = types.ModuleType(name)
            module.__path__ = [str(folder.joinpath(*name.split(".")))]
            sys.modules[name] = module
    return [importlib.import_module(f"llamafactory.data.{name}") for name in ("converter", "parser", "formatter")]
