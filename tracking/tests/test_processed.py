"""For which times there are results: what was committed, no more; of recordings and of live cameras."""

from __future__ import annotations

from datetime import timedelta

import pytest

from environments.models import Camera, Recording
from environments.spans import Span
from tracking import planning
from tracking.commit import commit_ready_batches
from tracking.models import ProcessingTask
from tracking.processed import environments_with_data, processed_spans, ranges_of
from tracking.services import task_start
from tracking.steering import task_seek
from tracking.tests.factories import START, perceived, prepared, record, walk

pytestmark = pytest.mark.django_db(transaction=True)


def s(seconds: float):
    return START + timedelta(seconds=seconds)


def span(first_s: float, end_s: float) -> Span:
    return Span(s(first_s), s(end_s))


def commit(task: ProcessingTask, *numbers: int) -> None:
    perceived(task, *numbers)
    done = commit_ready_batches(task_id=str(task.pk), associate=walk, most=len(numbers))
    assert done == len(numbers)
    task.refresh_from_db()


def live(environment, *, start_s: float, instants: int, cameras=("c01",), **fields) -> ProcessingTask:
    """A live task that has seen so many instants, ten a second."""
    environment.cameras.filter(slug__in=cameras).update(live_uri="rtsp://camera/stream")
    chosen = list(Camera.objects.filter(environment=environment, slug__in=cameras))
    return ProcessingTask.objects.create(
        environment=environment,
        mode=ProcessingTask.Mode.LIVE,
        start=s(start_s),
        fps=10.0,
        plan=planning.plan_live(cameras=chosen, fps=10.0),
        batches_scheduled=instants,
        batches_done=instants,
        last_instant=instants - 1,
        **fields,
    )


def last_data_at(user) -> object:
    return environments_with_data(user).get(slug="yard").last_data_at


def test_nothing_processed_is_nothing(yard, task):
    assert processed_spans(yard) == {"c01": [], "c02": []}


def test_a_task_under_way_counts_as_far_as_it_is(yard, running):
    assert processed_spans(yard) == {"c01": [span(0, 2)], "c02": [span(0, 2)]}
    assert ranges_of(yard).results == [span(0, 2)]


def test_what_was_sought_over_is_left_out(yard, operator, running):
    task_seek(user=operator, task=running, at=s(6.5))
    assert processed_spans(yard)["c01"] == [span(0, 2)]
    commit(running, 6)
    assert processed_spans(yard)["c01"] == [span(0, 2), span(6, 7)]


def test_each_camera_counts_where_it_recorded(yard, operator, task):
    record(yard.cameras.get(slug="c01"), 1.0, at_s=100)
    record(yard.cameras.get(slug="c02"), 3.0, at_s=100.5)
    later = prepared(task_start(user=operator, environment=yard, start=s(100), end=s(102.5), pacing="max"))
    commit(later, 0, 1, 2)
    assert later.status == "COMPLETED"
    assert processed_spans(yard) == {"c01": [span(100, 101)], "c02": [span(100.5, 102.5)]}


def test_time_without_recordings_is_not_processed(yard, operator):
    for camera in yard.cameras.all():
        record(camera, 2.0, at_s=3600)
    task = prepared(task_start(user=operator, environment=yard, pacing="max"))
    commit(task, *range(6))
    commit(task, *range(6, 10))
    # the next batch is the one after the gap
    assert task.batches_done == 3600
    assert processed_spans(yard)["c01"] == [span(0, 10)]
    commit(task, 3600)
    assert processed_spans(yard)["c01"] == [span(0, 10), span(3600, 3601)]


def test_tasks_together(yard, running):
    live(yard, start_s=1.5, instants=30)
    live(yard, start_s=50, instants=10, status=ProcessingTask.Status.STOPPED)
    assert processed_spans(yard) == {"c01": [span(0, 4.5), span(50, 51)], "c02": [span(0, 2)]}


def test_results_outlive_their_recordings(yard, running, operator):
    Recording.objects.all().delete()
    assert processed_spans(yard)["c01"] == [span(0, 2)]
    assert (ranges_of(yard).start, ranges_of(yard).end) == (s(0), s(2))
    assert last_data_at(operator) == s(2)


def test_cameras_that_are_switched_off_do_not_count(yard, running):
    yard.cameras.filter(slug="c02").update(is_active=False)
    assert list(processed_spans(yard)) == ["c01"]


def test_last_data_is_the_later_of_recordings_and_results(yard, operator):
    assert last_data_at(operator) == s(10)
    live(yard, start_s=-100, instants=50)
    assert last_data_at(operator) == s(10)
    live(yard, start_s=86400, instants=25)
    assert last_data_at(operator) == s(86402.5)
    live(yard, start_s=90000, instants=0)
    assert last_data_at(operator) == s(86402.5)


def test_a_task_that_is_done_reaches_its_end_not_its_last_batch(yard, operator):
    task = prepared(task_start(user=operator, environment=yard, end=s(2.5), pacing="max"))
    commit(task, 0, 1, 2)
    Recording.objects.all().delete()
    assert last_data_at(operator) == ranges_of(yard).end == s(2.5)


def test_it_costs_the_same_however_many_tasks_there_are(yard, running, operator, django_assert_num_queries):
    for number in range(5):
        live(yard, start_s=100.0 * number, instants=10)
    task_seek(user=operator, task=running, at=s(6.5))
    with django_assert_num_queries(3):
        processed_spans(yard)
