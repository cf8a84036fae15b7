"""The README's picture: ``python -m tests.picture REPORT.html OUT.png`` photographs a report in a browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def photograph(page: Path, out: Path, width: int = 1200, height: int = 1500) -> None:
    """Writes a PNG of the top of a page as headless Chromium shows it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("the picture needs Chromium: sudo apt-get install -y chromium")
    with tempfile.TemporaryDirectory() as profile:
        switches = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        switches += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        switches += [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={out.resolve()}"]
        subprocess.run([browser, *switches, page.resolve().as_uri()], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
