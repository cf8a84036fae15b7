"""A browser for the tests of previews."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

#: How long a browser may take, milliseconds: long, since the machine may be busy with other tests.
PATIENCE_MS = 120_000
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    binary = next(filter(None, map(shutil.which, _NAMES)), None)
    if binary is None:
        pytest.fail("no Chromium to look at previews with: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=_FLAGS, timeout=PATIENCE_MS)
        yield chromium
        chromium.close()
