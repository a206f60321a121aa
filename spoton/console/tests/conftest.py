"""A headless Chromium for the console's tests; skipped, with the reason, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

STATIC = Path(__file__).resolve().parents[1] / "static"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


# per module, not per session: while Playwright runs, asynchronous tests could not start their event loops
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no Chromium found (looked for {', '.join(NAMES)}); on Debian: apt install chromium")
    with sync_playwright() as playwright:
        # tests run as root in containers, where Chromium's own sandbox cannot start
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def modules(chromium: Browser) -> Iterator[Page]:
    """An empty page from which the console's modules can be imported, as `./console/NAME.js`; no server."""

    def serve(route: Route) -> None:
        path = STATIC / route.request.url.removeprefix("http://modules.test/")
        if path.is_file():
            route.fulfill(body=path.read_bytes(), content_type=TYPES[path.suffix])
        else:
            route.fulfill(body="<!doctype html><title>modules</title>", content_type="text/html")

    page = chromium.new_page()
    page.route("http://modules.test/**", serve)
    page.goto("http://modules.test/")
    yield page
    page.close()
