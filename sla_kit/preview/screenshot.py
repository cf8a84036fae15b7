"""A picture of a page, taken by the Chromium or Chrome of this machine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from sla_kit.errors import SlaKitError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_QUIET = (
    "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--force-color-profile=srgb",
)  # fmt: skip
_PATIENCE_SECONDS = 120


class BrowserError(SlaKitError):
    """No picture can be taken."""


def find_browser(wanted: str = "") -> str | None:
    """The browser's program: the one that is wanted, or the first that is on the PATH."""
    if wanted:
        return shutil.which(wanted)
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def take(page: Path, picture: Path, width: int, height: int, browser: str = "") -> None:
    """Writes a picture of a page of that many pixels. Raises `BrowserError`."""
    program = find_browser(browser)
    if program is None:
        raise BrowserError(
            f"there is no browser {browser!r}" if browser else "there is no Chromium or Chrome on this machine",
            remedy="install chromium, name one by --browser, or leave the picture out with --no-picture",
        )
    with tempfile.TemporaryDirectory() as profile:
        taken = Path(profile) / "picture.png"
        command = [program, *_QUIET, f"--user-data-dir={profile}/data", f"--screenshot={taken}"]
        command += [f"--window-size={width},{height}", page.resolve().as_uri()]
        said = _run(command)
        if not taken.exists():
            # Root may not use Chromium's sandbox, nor may many containers; the page is our own and loads nothing.
            said = _run([*command[:1], "--no-sandbox", *command[1:]])
        if not taken.exists():
            raise BrowserError(
                "the browser took no picture", place=program, remedy=said[-300:] or "try another browser"
            )
        shutil.move(taken, picture)


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr
