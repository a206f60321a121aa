"""The soak on the real product, for as short a time as tells anything."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from spoton.soak.run import run_soak

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_what_a_running_product_takes_is_watched(product):
    report = run_soak(product, minutes=0.5, every_s=1.5, live=False)
    assert report.messages["tracking"] > 0
    assert report.messages["frames"] > 0
    measured = {(trend.name, trend.measure): trend for trend in report.trends}
    for name in ("web", "perceive", "associate", "maintenance", "media", "beat", "ingest", "supervisor"):
        assert measured[name, "memory MB"].most > 10, name
        assert measured[name, "threads"].most >= 1, name
    assert 3 < measured["PostgreSQL", "connections"].most < 60
    assert 10 < measured["Redis", "keys"].most < 5000
    assert "others" not in {name for name, _ in measured}, "every process has a name"
    # a minute after the start much is still warming up, so growth is no failure here; the rest is
    assert [problem for problem in report.problems if "grow" not in problem] == []
    assert json.loads(json.dumps(asdict(report)))["samples"][0]["web: memory MB"] > 10
