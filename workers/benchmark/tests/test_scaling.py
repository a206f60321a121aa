"""The simulation of larger installations agrees with what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workers.benchmark.scaling import Costs, Site, redis_bytes_per_s, rows_per_s, scaling, simulate, sized

COSTS = Costs(perceive_ms=10.0, associate_ms=(2.0, 0.0), record_ms=(3.0, 0.0))


def test_one_camera_waits_for_nobody():
    outcome = simulate(Site(cameras=1, devices=1), COSTS)
    assert 0.012 < np.median(outcome.latencies_s) < 0.02
    assert outcome.busy["perception"] == pytest.approx(0.1, rel=0.1)
    assert outcome.busy["association"] == pytest.approx(0.05, rel=0.1)


def test_two_cameras_on_one_device_wait_for_each_other_and_on_two_they_do_not():
    one, two = (np.median(simulate(Site(cameras=2, devices=n), COSTS).latencies_s) for n in (1, 2))
    assert one - two == pytest.approx(0.009, abs=0.004)


def test_too_few_devices_fall_behind_without_end():
    outcome = simulate(Site(cameras=20, devices=1, task_cameras=4), COSTS)
    assert outcome.busy["perception"] > 1.5
    assert outcome.bottleneck == "perception"
    assert outcome.latencies_s[-1] > 5


def test_a_sized_site_keeps_up():
    site = sized(Site(cameras=100), Costs())
    outcome = simulate(site, Costs(), seconds=5)
    assert max(outcome.busy["perception"], outcome.busy["association"]) < 0.8
    assert np.percentile(outcome.latencies_s, 95) < 0.2


def test_what_is_counted():
    site = Site(cameras=10, fps=10, people=5, views=2)
    assert rows_per_s(site) == 500 + 250
    costs = Costs(jpeg_bytes=1000, observation_bytes=100)
    assert redis_bytes_per_s(site, costs) == 10 * 10 * 3000 + 500 * 200


def test_the_report_names_the_busiest_part():
    rows = scaling((1, 10)).rows
    assert [row["cameras"] for row in rows] == [1, 10]
    parts = {"ingest", "perception", "association", "one task", "database", "Redis"}
    assert {row["busiest"].split(",")[0] for row in rows} <= parts
