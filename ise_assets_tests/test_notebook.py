"""The example notebook, cell by cell, on a snapshot that a warehouse has published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ise_assets.settings import PROJECT
from ise_assets.warehouse import Warehouse
from ise_assets_tests.view.world import add_session


def test_the_example_notebook_runs_on_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = Warehouse(tmp_path / "ise.duckdb")
    for identity in ("one", "two"):
        add_session(warehouse, identity)
    warehouse.publish_snapshot()
    monkeypatch.setenv("ISE_HOME", str(tmp_path))
    cells = json.loads((PROJECT / "docs" / "warehouse.ipynb").read_text(encoding="utf-8"))["cells"]
    seen: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec("".join(cell["source"]), seen)
    assert seen["sessions"]["sessions"].sum() == 2
    assert list(seen["failures"].columns) == ["failure", "calls", "recovered"]
    assert "plain words" in capsys.readouterr().out
    warehouse.write(lambda connection: None)  # the open snapshot is in nobody's way
