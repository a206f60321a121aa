"""Gaps between recordings are left out, whatever their length; short ones are processed as they are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.commit import commit_ready_batches
from tracking.coverage import Coverage, coverage
from tracking.models import Batch, Position, ProcessingTask
from tracking.selectors import task_details
from tracking.services import task_start
from tracking.tests.factories import START, perceived, prepared, record, walk

pytestmark = pytest.mark.django_db(transaction=True)
YEAR_S = 365 * 86400.0


@pytest.fixture
def years_apart(yard) -> None:
    """Ten seconds, and a year later five of one camera and, half a minute after those, five of the other."""
    record(yard.cameras.get(slug="c01"), 5.0, at_s=YEAR_S)
    record(yard.cameras.get(slug="c02"), 5.0, at_s=YEAR_S + 35)


def run(task: ProcessingTask) -> list[int]:
    while task.status == "PROCESSING":
        pending = range(task.batches_done, task.batches_scheduled)
        perceived(task, *[n for n in pending if coverage(task).following(n) == n])
        assert commit_ready_batches(task_id=str(task.pk), associate=walk), "stuck"
        task.refresh_from_db()
    return list(Batch.objects.filter(task=task).order_by("number").values_list("number", flat=True))


@pytest.mark.parametrize("pacing", ["max", "realtime"])
def test_a_year_without_recordings_costs_nothing(years_apart, yard, operator, pacing, monkeypatch):
    monkeypatch.setattr("tracking.schedule.LEAD_SECONDS", 1000)
    task = prepared(task_start(user=operator, environment=yard, pacing=pacing))
    year = round(YEAR_S)
    assert run(task) == [*range(10), *range(year, year + 40)]
    assert task.status == "COMPLETED"
    details = task_details(task)
    assert (details["progress"], details["batches"]) == (1.0, {"done": 50, "total": 50})
    times = Position.objects.filter(task=task).values_list("captured_at", flat=True)
    assert max(times) == START + timedelta(seconds=YEAR_S + 39.9)


def test_progress_counts_what_is_there(years_apart, yard, operator):
    task = prepared(task_start(user=operator, environment=yard, pacing="max"))
    perceived(task, 0, 1, 2, 3, 4)
    assert commit_ready_batches(task_id=str(task.pk), associate=walk, most=5) == 5
    task.refresh_from_db()
    assert task_details(task)["progress"] == 0.1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=6), st.integers(0, 60))
def test_following_is_the_first_that_is_covered(spans, number):
    covered = sorted({n for first, length in spans for n in range(first, first + length)})
    ranges: list[list[int]] = []
    for n in covered:
        if ranges and ranges[-1][1] == n:
            ranges[-1][1] += 1
        else:
            ranges.append([n, n + 1])
    known = Coverage(tuple(map(tuple, ranges)), 100)
    assert known.following(number) == min((n for n in covered if n >= number), default=100)
    assert known.count(number) == sum(n < number for n in covered)
    assert known.count() == len(covered)
