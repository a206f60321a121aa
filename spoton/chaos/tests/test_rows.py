"""Differences between two runs are found to the last digit and told in words."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection

from spoton.chaos.rows import ROWS, differences, task_rows
from tracking.commit import commit_ready_batches
from tracking.models import Position
from tracking.services import task_start
from tracking.tests.factories import perceived, prepared, record, walk, yard
from tracking.tests.factories import person as make_person


@pytest.fixture
def rows_of(transactional_db):
    """Runs a task over the same two seconds and gives its rows."""
    environment = yard()
    for camera in environment.cameras.all():
        record(camera, 2.0)
    user = make_person("oona", is_superuser=True)
    # the test's database, not the one the address names
    url = settings.DATABASE_URL.replace("/spoton?", f"/{connection.settings_dict['NAME']}?")

    def run(change=lambda task: None) -> dict[str, bytes]:
        task = prepared(task_start(user=user, environment=environment, pacing="max"))
        perceived(task, 0, 1)
        assert commit_ready_batches(task_id=str(task.pk), associate=walk) == 2
        change(task)
        return task_rows(url, str(task.pk))

    return run


def test_the_same_span_again_is_the_same(rows_of):
    first = rows_of()
    assert set(first) == set(ROWS)
    assert all(first.values()), "an empty table would equal another one"
    assert differences(first, rows_of()) == []


def test_the_last_digit_of_one_number_is_a_difference(rows_of):
    def nudge(task) -> None:
        position = Position.objects.filter(task=task).earliest("captured_at", "person_id")
        position.x_m += 1e-9
        Position.objects.filter(task=task, instant=position.instant, person_id=position.person_id).update(
            x_m=position.x_m
        )

    first = rows_of()
    (difference,) = differences(first, rows_of(nudge))
    assert difference.startswith("positions: 40 rows expected, 40 found; row 0 is ")


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (b"a\nb\nc\n", "2 rows expected, 3 found; row 2 is 'c', not '(no row)'"),
        (b"a\n", "2 rows expected, 1 found; row 1 is '(no row)', not 'b'"),
        (b"a\nx\n", "2 rows expected, 2 found; row 1 is 'x', not 'b'"),
    ],
)
def test_differences_in_words(got, words):
    assert differences({"batches": b"a\nb\n"}, {"batches": got}) == [f"batches: {words}"]
