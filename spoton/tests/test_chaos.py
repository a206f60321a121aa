"""Exactly once, under fire: the real product is disturbed in every way we know, and its rows stay the same."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from spoton.chaos.disturbances import DISTURBANCES
from spoton.chaos.messages import Messages
from spoton.chaos.run import Chaos
from spoton.product import FINAL
from spoton.soak.viewer import Viewer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_whatever_happens_on_the_way_the_rows_are_the_same_byte_for_byte(product):
    """Each kind of process killed, stores restarted and full, messages doubled, late and reordered."""
    report = Chaos(product, seed=11, every_s=2.0, tell=print).run()
    assert report.problems == []
    assert {done.name for done in report.done} == set(DISTURBANCES)
    assert report.tasks[0]["rows"]["detections"] > 100
    assert len(report.tasks) >= 3


@pytest.mark.parametrize("store", ["kill Redis", "kill PostgreSQL"])
def test_viewers_go_on_after_a_restart(product, store):
    """Sockets carry on or are closed with a code that says "come back", and then there is more to see."""
    token = product.token()
    task_id = product.start_task(token, pacing="realtime")["task_id"]
    with (
        Viewer(product.base_url, token) as viewer,
        closing(Messages(product.address("redis_url"))) as messages,
    ):
        viewer.watch(task_id)
        until(lambda: viewer.messages["tracking"] > 5 and viewer.messages["frames"] > 5)
        DISTURBANCES[store](product, messages, random.Random(1))
        time.sleep(1)
        before = dict(viewer.messages)
        until(lambda: all(viewer.messages[kind] > before[kind] + 5 for kind in before))
        # 0: not even connected, the store was away when the token was to be checked
        assert set(viewer.closes) <= {0, 4409, 4503}
    # where the store was long away it may be over by now
    if product.task(token, task_id)["status"] not in FINAL:
        product.stop_task(token, task_id)


def until(condition: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)
