"""Motion JPEG by a signed address: what an `<img>` of a real browser shows of a real server."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e

PAINTED = """
  () => {
    const img = document.getElementById('stream');
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
    const context = canvas.getContext('2d');
    if (!canvas.width) return null;
    context.drawImage(img, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let sum = 0;
    for (let i = 0; i < pixels.length; i += 4) sum = (sum * 31 + pixels[i] + pixels[i + 1]) % 1000003;
    return `${canvas.width}x${canvas.height} ${sum}`;
  }
"""


def test_an_img_shows_the_stream_and_keeps_its_last_picture(chromium: Browser, live_spoton) -> None:
    token = live_spoton.token()
    task = live_spoton.start_task(token, pacing="realtime")
    path = f"/api/v1/media/frames/{task['task_id']}/c01/stream?width=320&max_rate=5"
    status, _, answer = live_spoton.request("POST", "/api/v1/media/sign", {"paths": [path]}, token)
    assert status == 200, answer

    page = chromium.new_page()
    page.goto(f"{live_spoton.base_url}/health/live")
    url = answer["data"]["urls"][0]["url"]
    page.evaluate(
        "(url) => { const img = new Image(); img.id = 'stream'; img.src = url; document.body.append(img); }",
        url,
    )
    page.wait_for_function(f"() => ({PAINTED})()?.startsWith('320x180 ')", timeout=30_000)
    seen: set[str] = set()
    give_up_at = time.monotonic() + 30
    while len(seen) < 6:
        assert time.monotonic() < give_up_at, "it does not move"
        seen.add(page.evaluate(PAINTED))
        page.wait_for_timeout(100)

    status, _, answer = live_spoton.request(
        "POST", f"/api/v1/processing-tasks/{task['task_id']}/pause", token=token
    )
    assert status == 200, answer
    page.wait_for_timeout(4000)
    last = page.evaluate(PAINTED)
    page.wait_for_timeout(1500)
    assert page.evaluate(PAINTED) == last, "paused: the last picture stays"
    live_spoton.stop_task(token, task["task_id"])
    page.wait_for_timeout(500)
    assert page.evaluate(PAINTED) == last
    page.close()
