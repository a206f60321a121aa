"""The example page of clients/examples in a real browser, as a page of another site than SpotOn's own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.e2e

PAGE = settings.BASE_DIR / "clients" / "examples" / "live_map.html"
# how much of the map is painted
PAINTED = """
  () => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, i) => i % 4 === 3 && value > 0).length;
  }
"""


def test_a_page_of_another_site_shows_who_is_where(chromium: Browser, live_spoton: Any) -> None:
    token = live_spoton.token()
    task_id = live_spoton.start_task(token, pacing="realtime")["task_id"]
    page = chromium.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    # an empty answer of the other site, filled with the page: browsers let pages from elsewhere not call this machine
    page.goto(f"{live_spoton.other_site}/health/live?spoton={live_spoton.base_url}&task={task_id}")
    page.set_content(PAGE.read_text())
    page.get_by_label("User").fill(live_spoton.username)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_contain_text("password", timeout=30_000)

    page.get_by_label("Password").fill(live_spoton.password)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("status")).to_have_text(re.compile(r"^[1-9]\d* people at 20"), timeout=60_000)
    assert page.evaluate(PAINTED) > 100
    seen = {page.get_by_role("status").text_content()}
    while len(seen) < 4:
        page.wait_for_timeout(100)
        seen.add(page.get_by_role("status").text_content())
    live_spoton.stop_task(token, task_id)
    expect(page.locator("canvas")).to_have_attribute("data-state", "closed 4409", timeout=30_000)
    page.close()
    assert problems == []
