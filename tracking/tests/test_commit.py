"""Associate and record: exactly once, in order, all or nothing; on the real database, with real concurrency."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest
from django.db import connection, connections

from environments.redis import redis_client
from tracking import publish
from tracking.commit import close_task, commit_ready_batches
from tracking.models import (
    Appearance,
    Batch,
    Checkpoint,
    Detection,
    Person,
    Position,
    ProcessingTask,
    Trajectory,
)
from tracking.services import task_fail, task_start, task_stop
from tracking.stores import STORES_AWAY
from tracking.tests.factories import Rows, finish, perceived, prepared, queued, walk

pytestmark = pytest.mark.django_db(transaction=True)
Status = ProcessingTask.Status


def rows_of(task: ProcessingTask) -> dict[str, list[tuple]]:
    """Everything recorded for the task, but for its own id."""
    columns = {
        Detection: "captured_at camera_id track_id person_id instant frame x1 y1 x2 y2 confidence map_x map_y",
        Position: "captured_at person_id instant x_m y_m vx_m_s vy_m_s sigma_m",
        Trajectory: "person_id started_at ended_at instants x_m y_m length_m",
        Appearance: "person_id embedder weight seen_at",
        Batch: "number instants",
    }
    found = {}
    for model, names in columns.items():
        rows = model.objects.filter(task=task).order_by(*names.split()[:3])
        found[model.__name__] = list(rows.values_list(*names.split()))
    return found


def commit(task: ProcessingTask, associate: Callable = walk, **options: Any) -> int:
    return commit_ready_batches(task_id=str(task.pk), associate=associate, **options)


def run_to_the_end(task: ProcessingTask) -> dict[str, list[tuple]]:
    while task.status == Status.PROCESSING:
        perceived(task, *range(task.batches_done, task.batches_scheduled))
        assert commit(task), "stuck"
        task.refresh_from_db()
    return rows_of(task)


def status_of(task: ProcessingTask) -> str:
    task.refresh_from_db()
    return task.status


# -- the straight way ----------------------------------------------------------------------------------------


def test_a_task_runs_to_its_end(task):
    rows = run_to_the_end(task)
    assert (task.status, task.batches_done, task.finished_at is not None) == (Status.COMPLETED, 10, True)
    assert rows["Batch"] == [(number, 10) for number in range(10)]
    assert len(rows["Detection"]) == 100 * 2 * 2, "instants, persons, cameras"
    assert len(rows["Position"]) == 100 * 2
    xs = sorted({row[3] for row in rows["Position"]})
    assert xs == pytest.approx([0.5 + i / 10 for i in range(100)]), "the state went from batch to batch"
    assert [len(row[3]) for row in rows["Trajectory"]] == [100, 100]
    assert not Checkpoint.objects.exists(), "nothing goes on from here"


def test_batches_wait_for_every_camera_and_for_those_before(task):
    perceived(task, 0, cameras=("c01",))
    perceived(task, 1)
    assert commit(task) == 0
    perceived(task, 0, cameras=("c02",))
    assert commit(task) == 2
    assert [number for number, _ in rows_of(task)["Batch"]] == [0, 1]


def test_one_message_does_a_bounded_amount_of_work(task):
    perceived(task, 0, 1, 2)
    redis_client().delete("associate")
    assert commit(task, most=2) == 2
    assert queued("associate") == [("workers.associate", [str(task.pk)])], (
        "the rest is left to another message"
    )
    assert commit(task, most=2) == 1


def test_batches_that_were_not_asked_for_are_left(task):
    ProcessingTask.objects.filter(pk=task.pk).update(batches_scheduled=1)
    perceived(task, 0, 1)
    assert commit(task, most=1) == 1
    # committing has asked for more: only what lies beyond that stays
    ProcessingTask.objects.filter(pk=task.pk).update(batches_scheduled=1)
    assert commit(task) == 0


# -- again, late, and at once --------------------------------------------------------------------------------


def test_repeated_calls_change_nothing(task):
    perceived(task, 0)
    assert commit(task) == 1
    before = rows_of(task)
    perceived(task, 0)
    assert [commit(task), commit(task)] == [0, 0]
    assert rows_of(task) == before


def test_observations_in_any_order_and_many_owners_at_once_give_the_same_rows(yard, operator, task):
    """Eight threads, each with a connection of its own, woken by duplicated notices in random order."""
    expected = run_to_the_end(task)
    other = prepared(task_start(user=operator, environment=yard, pacing="max"))
    overlaps, inside = [], threading.Semaphore(1)

    def associate(batch):
        if not inside.acquire(blocking=False):
            overlaps.append(batch.number)
            return walk(batch)
        try:
            return walk(batch)
        finally:
            inside.release()

    def worker(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while ProcessingTask.objects.get(pk=other.pk).status == Status.PROCESSING:
                current = ProcessingTask.objects.get(pk=other.pk)
                pending = list(range(current.batches_done, current.batches_scheduled))
                chance.shuffle(pending)
                for number in pending:
                    perceived(other, number, cameras=(chance.choice(["c01", "c02"]),))
                commit(other, associate, most=chance.randint(1, 3))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(worker, seed) for seed in range(8)]:
            future.result(timeout=60)
    assert status_of(other) == Status.COMPLETED
    assert rows_of(other) == expected
    assert overlaps == [], "two owners at once"


# -- crashes -------------------------------------------------------------------------------------------------


def test_a_crash_before_the_commit_leaves_no_trace(task):
    perceived(task, 0, 1)
    assert commit(task, most=1) == 1
    before, checkpoint = rows_of(task), bytes(Checkpoint.objects.get().state)

    def crash(batch):
        raise MemoryError("killed")

    with pytest.raises(MemoryError):
        commit(task, crash)
    assert rows_of(task) == before
    assert bytes(Checkpoint.objects.get().state) == checkpoint
    assert commit(task) == 1, "the next owner goes on"


def test_a_crash_while_recording_leaves_no_trace(task):
    """The rows of the first half are written, then a row comes that the database refuses."""
    perceived(task, 0)

    def half_wrong(batch):
        output = walk(batch)
        output.rows.detections.append(output.rows.detections[0])
        return output

    with pytest.raises(Exception, match="duplicate key"):
        commit(task, half_wrong)
    assert not any(rows_of(task).values())
    assert not Person.objects.exists()
    task.refresh_from_db()
    assert task.batches_done == 0
    assert commit(task) == 1


def test_a_lost_notice_loses_no_row(task, monkeypatch):
    """When nobody can be told, for example while Redis restarts, rows are safe and work goes on."""
    perceived(task, 0, 1)

    def broken(*args, **kwargs):
        raise ConnectionError("no Redis")

    monkeypatch.setattr(publish, "notify", broken)
    monkeypatch.setattr(publish, "tracking_updates", broken)
    assert commit(task) == 2
    assert len(rows_of(task)["Batch"]) == 2


@pytest.mark.parametrize("batch", [-1, 1, 7])
def test_a_checkpoint_of_another_batch_is_refused(task, batch):
    perceived(task, 0, 1)
    commit(task, most=1)
    Checkpoint.objects.filter(task=task).update(batch=batch)
    with pytest.raises(RuntimeError, match=f"checkpoint of batch {batch} cannot precede batch 1"):
        commit(task)


def test_the_fence_holds_even_without_the_lock(task):
    """Should two owners ever get past the lock (two databases behind one pooler, say), one of them is void."""
    perceived(task, 0)

    def overtaken(batch):
        done_elsewhere = threading.Thread(
            target=lambda: (
                ProcessingTask.objects.filter(pk=task.pk).update(batches_done=1),
                connections.close_all(),
            )
        )
        done_elsewhere.start()
        done_elsewhere.join()
        return walk(batch)

    with pytest.raises(RuntimeError, match="committed by another owner"):
        commit(task, overtaken)
    assert not any(rows_of(task).values())


def test_two_owners_cannot_both_commit_a_batch(task):
    """One is frozen in the middle and loses its connection, and with it the lock; the other commits meanwhile."""
    perceived(task, 0, 1)
    frozen, go_on, outcome = threading.Event(), threading.Event(), []

    def slow(batch):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            outcome.append(cursor.fetchone()[0])
        frozen.set()
        assert go_on.wait(30)
        return walk(batch)

    def first_owner() -> None:
        try:
            commit(task, slow, most=1)
        except Exception as error:
            outcome.append(error)
        finally:
            connections.close_all()

    owner = threading.Thread(target=first_owner)
    owner.start()
    assert frozen.wait(30)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", outcome)
    assert commit(task) == 2, "the lock went with the connection"
    before, checkpoint = rows_of(task), bytes(Checkpoint.objects.get().state)
    go_on.set()
    owner.join(30)
    assert isinstance(outcome[1], STORES_AWAY), "and its commit is void"
    assert rows_of(task) == before
    assert bytes(Checkpoint.objects.get().state) == checkpoint
    assert [number for number, _ in before["Batch"]] == [0, 1]


# -- the same again ------------------------------------------------------------------------------------------


def test_the_same_span_again_gives_the_same_rows_and_the_same_persons(yard, operator, task):
    first = run_to_the_end(task)
    persons = set(Person.objects.values_list("pk", flat=True))
    again = prepared(task_start(user=operator, environment=yard, pacing="max"))
    assert run_to_the_end(again) == first
    assert set(Person.objects.values_list("pk", flat=True)) == persons
    assert len(persons) == 2


def test_persons_of_another_span_are_others(yard, operator, task):
    run_to_the_end(task)
    other = prepared(task_start(user=operator, environment=yard, pacing="max", fps=5))
    run_to_the_end(other)
    assert Person.objects.count() == 4


# -- stopping ------------------------------------------------------------------------------------------------


def test_stopping_writes_the_open_trajectories_once(operator, task):
    perceived(task, 0, 1, 2)
    assert commit(task, most=3) == 3
    task_stop(user=operator, task=task)
    for _ in range(3):
        close_task(task_id=str(task.pk), finish=finish)
    rows = rows_of(task)["Trajectory"]
    assert [len(row[3]) for row in rows] == [30, 30]
    assert rows[0][6] == pytest.approx(2.9), "30 instants at 1 m/s"
    assert not Checkpoint.objects.exists()


def test_two_owners_closing_at_once_write_once(operator, task):
    perceived(task, 0)
    commit(task)
    task_stop(user=operator, task=task)

    def close() -> None:
        try:
            close_task(task_id=str(task.pk), finish=finish)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(close) for _ in range(4)]:
            future.result(timeout=30)
    assert len(rows_of(task)["Trajectory"]) == 2


def test_running_and_unknown_tasks_are_not_closed(task):
    perceived(task, 0)
    commit(task)
    for task_id in (str(task.pk), str(uuid.uuid4())):
        close_task(task_id=task_id, finish=lambda *_: pytest.fail("nothing is to be closed"))
    assert Checkpoint.objects.exists()


def test_a_task_stopped_before_its_first_batch_has_nothing_to_close(operator, task):
    task_stop(user=operator, task=task)
    close_task(task_id=str(task.pk), finish=lambda *_: Rows())
    perceived(task, 0)
    assert commit(task) == 0, "what was under way is left"


def in_the_middle(task: ProcessingTask, event: Callable[[], Any]) -> Callable:
    """An association during which something happens elsewhere."""

    def associate(batch):
        def happen():
            event()
            connections.close_all()

        thread = threading.Thread(target=happen)
        thread.start()
        thread.join()
        return walk(batch)

    return associate


def test_a_stop_in_the_middle_of_a_batch_counts_it_and_stays_stopped(operator, task):
    perceived(task, 0, 1)
    stop = in_the_middle(task, lambda: task_stop(user=operator, task=ProcessingTask.objects.get(pk=task.pk)))
    assert commit(task, stop) == 1
    assert status_of(task) == Status.STOPPED
    assert rows_of(task)["Batch"] == [(0, 10)]
    close_task(task_id=str(task.pk), finish=finish)
    assert [len(row[3]) for row in rows_of(task)["Trajectory"]] == [10, 10]


@pytest.mark.parametrize("ending", ["stop", "fail"])
def test_a_stop_in_the_middle_of_the_last_batch_stays_too(operator, task, ending):
    """Who was told STOPPED must not find COMPLETED later."""
    while task.batches_done < 9:
        perceived(task, *range(task.batches_done, task.batches_scheduled))
        commit(task, most=1)
        task.refresh_from_db()
    events = {
        "stop": lambda: task_stop(user=operator, task=ProcessingTask.objects.get(pk=task.pk)),
        "fail": lambda: task_fail(task_id=str(task.pk), code="x", message="y"),
    }
    perceived(task, 9)
    assert commit(task, in_the_middle(task, events[ending])) == 1
    assert status_of(task) == {"stop": Status.STOPPED, "fail": Status.FAILED}[ending]
    close_task(task_id=str(task.pk), finish=finish)
    assert [len(row[3]) for row in rows_of(task)["Trajectory"]] == [100, 100], "written once"


def test_failed_tasks_take_no_more_batches(task):
    perceived(task, 0)
    task_fail(task_id=str(task.pk), code="internal_error", message="The disk is full.")
    assert commit(task) == 0
    assert not any(rows_of(task).values())


def test_the_checkpoint_is_the_state_after_the_last_committed_batch(task):
    perceived(task, 0, 1)
    commit(task)
    checkpoint = Checkpoint.objects.get(task=task)
    assert (checkpoint.batch, msgpack.unpackb(bytes(checkpoint.state))) == (1, 20)
