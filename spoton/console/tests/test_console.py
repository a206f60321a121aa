"""The whole console in a real browser, against the running product with its workers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.e2e

ENVIRONMENT = "campus"
# detection, tracking and the browser share few cores in CI
PATIENCE_MS = 90_000

# pixels of a canvas that have the colour of a person, by the console's own pure function
PIXELS_OF_PERSON = """
async ([selector, person]) => {
  const { colourOf } = await import("/static/console/colours.js");
  const wanted = [1, 3, 5].map((i) => parseInt(colourOf(person).slice(i, i + 2), 16));
  const canvas = document.querySelector(selector);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (wanted.every((value, channel) => Math.abs(data[i + channel] - value) <= 3)) found += 1;
  }
  return found;
}
"""
# person and camera of the rows that say somebody is in view of a camera
SEEN = """
() => [...document.querySelectorAll(".persons li:not(.left) .person")].flatMap((row) =>
  [...row.querySelectorAll(".chip")].map((chip) => [row.dataset.person, chip.textContent]))
"""


@pytest.fixture
def page(chromium: Browser, live_spoton: Any) -> Iterator[Page]:
    """A fresh browser profile on a laptop's screen; errors in the page's scripts fail the test."""
    context = chromium.new_context(
        base_url=live_spoton.base_url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Content Security Policy" in m.text else None)
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def viewer(live_spoton: Any) -> tuple[str, str]:
    """User name and password of somebody who may only watch."""
    live_spoton.manage(
        "shell",
        "-c",
        """
from django.contrib.auth import get_user_model
from environments.models import Environment, Role
from environments.services import membership_set

user, _ = get_user_model().objects.get_or_create(username="watcher")
user.set_password("watching-only-1")
user.save()
membership_set(user=user, environment=Environment.objects.get(slug="campus"), role=Role.VIEWER)
""",
    )
    return "watcher", "watching-only-1"


def sign_in(page: Page, username: str, password: str) -> None:
    page.goto("/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=PATIENCE_MS)


def start_run(page: Page) -> None:
    """From the environment's page: all that is recorded, at the pace of the recording."""
    page.goto(f"/#/e/{ENVIRONMENT}")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".camera").first).to_be_visible(timeout=PATIENCE_MS)


def test_a_wrong_password_is_explained(page: Page, live_spoton: Any) -> None:
    page.goto("/")
    page.get_by_label("User name").fill(live_spoton.username)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("password is wrong", timeout=PATIENCE_MS)
    expect(page.get_by_label("Password")).to_be_focused()


def test_people_are_followed_from_sign_in_to_the_end_of_the_recording(page: Page, live_spoton: Any) -> None:
    sign_in(page, live_spoton.username, live_spoton.password)
    start_run(page)

    # every camera shows pictures that move on, and somebody is in view of one
    cameras = page.locator(".camera")
    expect(page.locator(".camera[data-frame]")).to_have_count(cameras.count(), timeout=PATIENCE_MS)
    frame = int(cameras.first.get_attribute("data-frame"))
    page.wait_for_function(
        "(frame) => Number(document.querySelector('.camera').dataset.frame) >= frame + 5", arg=frame
    )
    expect(page.locator(".persons li:not(.left) .chip").first).to_be_visible(timeout=PATIENCE_MS)
    assert_same_person_everywhere(page)

    expect(page.locator(".run-bar .tag")).to_have_text("Completed", timeout=2 * PATIENCE_MS)
    expect(page.locator(".status-bar")).to_contain_text(re.compile(r"\d fps"))
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    expect(page.get_by_role("link", name="New run")).to_be_visible()


def test_a_run_can_be_stopped(page: Page, live_spoton: Any) -> None:
    sign_in(page, live_spoton.username, live_spoton.password)
    start_run(page)

    page.get_by_role("button", name="Stop").click()

    expect(page.locator(".run-bar .tag")).to_have_text("Stopped", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def assert_same_person_everywhere(page: Page) -> None:
    """Somebody in the list has the same name and colour in the list, in a camera's view and on the map."""
    for _ in range(40):
        for person, camera in page.evaluate(SEEN):
            row = page.locator(f".person[data-person='{person}']")
            name = "P-" + person.replace("-", "")[:4].upper()
            in_view = page.evaluate(PIXELS_OF_PERSON, [f".camera[data-camera='{camera}'] canvas", person])
            on_map = page.evaluate(PIXELS_OF_PERSON, [".run-map canvas", person])
            # a box's outline and label; a dot of 6 pixels radius
            if in_view > 150 and on_map > 40 and row.locator(".person-name").count():
                assert row.locator(".person-name").inner_text() == name
                return
        page.wait_for_timeout(250)
    pytest.fail("nobody in the list was found with their colour in a camera's view and on the map")


def test_a_highlight_is_set_and_cleared_and_reloading_keeps_the_run(page: Page, live_spoton: Any) -> None:
    sign_in(page, live_spoton.username, live_spoton.password)
    start_run(page)
    expect(page.locator(".camera[data-frame]").first).to_be_visible(timeout=PATIENCE_MS)

    page.locator(".persons li:not(.left) .person").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".person[aria-pressed='true']")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".person[aria-pressed='true']")).to_have_count(0)

    address = page.url
    page.reload()
    expect(page.locator(".camera[data-frame]").first).to_be_visible(timeout=PATIENCE_MS)
    assert page.url == address


def test_a_viewer_may_watch_but_not_start(page: Page, viewer: tuple[str, str]) -> None:
    sign_in(page, *viewer)
    page.goto(f"/#/e/{ENVIRONMENT}")

    expect(page.get_by_role("heading", name="You can watch here")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Start")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 800), (1024, 768), (820, 1180)])
def test_every_page_fits_the_screen(page: Page, live_spoton: Any, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    sign_in(page, live_spoton.username, live_spoton.password)
    for address, ready in [("/#/", ".card"), (f"/#/e/{ENVIRONMENT}", ".setup-map canvas")]:
        page.goto(address)
        expect(page.locator(ready).first).to_be_visible(timeout=PATIENCE_MS)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
