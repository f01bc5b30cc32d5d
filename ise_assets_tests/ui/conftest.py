"""A real browser, found where there is one; its absence is loud, and in CI a failure."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium
        paths = [chromium.executable_path, *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))]
        reasons = []
        for path in paths:
            if not path or not Path(path).exists():
                continue
            try:
                started = chromium.launch(executable_path=path, args=FLAGS, timeout=60_000)
            except Error as error:
                reasons.append(f"{path}: {error.message.splitlines()[0]}")
                continue
            yield started
            started.close()
            return
    message = f"NO BROWSER, so the web UI is not tested: {'; '.join(reasons) or 'none found'}; run `make test-setup`"
    if os.environ.get("ISE_REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)
