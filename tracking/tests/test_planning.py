"""Instants, batches and sources of a task: fixed by the task alone, whoever processes it."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import planning
from tracking.models import ProcessingTask
from tracking.tests.factories import START, record

quick = settings(max_examples=80, deadline=None, derandomize=True)
RATES = st.sampled_from([0.1, 1.0, 3.0, 5.0, 7.5, 10.0, 12.5, 23.976, 25.0, 29.97, 30.0, 60.0])


def made(segments=(), *, seconds=10.0, fps=10.0, batch_instants=10, start=START) -> ProcessingTask:
    """A task that is not stored, with one camera; segments as (begins at, lasts), seconds after START."""
    entry = {
        "camera": "c01",
        "camera_id": 1,
        "image_size": [640, 360],
        "calibration": None,
        "segments": [
            {"uri": f"{i}.mp4", "started_at": START.timestamp() + begin, "duration_s": length}
            for i, (begin, length) in enumerate(segments)
        ],
    }
    return ProcessingTask(
        mode="recorded",
        start=start,
        end=start + timedelta(seconds=seconds),
        fps=fps,
        plan={"batch_instants": batch_instants, "cameras": [entry]},
        choices={"detector": {"chosen": "motion"}, "embedder": {"chosen": "descriptor"}},
    )


def all_instants(task: ProcessingTask) -> list[int]:
    size = task.plan["batch_instants"]
    count = planning.batch_count(start=task.start, end=task.end, fps=task.fps, batch_instants=size)
    return [i for number in range(count) for i in planning.batch_instants(task, number)]


def segments_of(task: ProcessingTask, number: int = 0) -> list[dict]:
    return planning.batch_message(task, number, "c01")["segments"]


# -- instants ------------------------------------------------------------------------------------------------


@quick
@given(fps=RATES, seconds=st.integers(1, 4000).map(lambda n: n / 100), size=st.integers(1, 64))
def test_batches_cut_the_span_into_all_its_instants_once(fps, seconds, size):
    task = made(seconds=seconds, fps=fps, batch_instants=size)
    instants = all_instants(task)
    assert instants == list(range(len(instants)))
    if instants:
        assert planning.instant_time(task, instants[-1]) < task.end.timestamp() + 1e-6
        assert planning.instant_time(task, instants[-1] + 1) > task.end.timestamp() - 1e-6


@quick
@given(fps=RATES, instant=st.integers(0, 10_000_000))
def test_a_moment_belongs_to_the_instant_nearest_to_it(fps, instant):
    task = made(fps=fps)
    moment = planning.utc(planning.instant_time(task, instant))
    assert planning.instant_at(task, moment) == instant
    assert planning.instant_at(task, moment + timedelta(seconds=0.49 / fps)) == instant


@pytest.mark.parametrize(
    ("seconds", "fps", "count"),
    [(1, 10, 10), (0.95, 10, 10), (1.05, 10, 11), (0.1, 10, 1), (3, 0.1, 1), (60, 29.97, 1799)],
)
def test_how_many_instants_a_span_has(seconds, fps, count):
    assert planning.instant_count(start=START, end=START + timedelta(seconds=seconds), fps=fps) == count


def test_a_long_span_has_no_rounding_drift():
    """Half a day at 10 per second: instants are computed from their number, never added up."""
    task = made(seconds=43_200)
    assert planning.instant_time(task, 431_999) == pytest.approx(START.timestamp() + 43_199.9, abs=1e-6)


def test_times_are_exact_to_the_microsecond():
    assert planning.utc(1_777_881_600.123456) == datetime(2026, 5, 4, 8, 0, 0, 123456, UTC)
    assert planning.utc(-1.5) == datetime(1969, 12, 31, 23, 59, 58, 500000, UTC)


# -- frames and instants -------------------------------------------------------------------------------------


@quick
@given(fps=RATES)
def test_no_frame_belongs_to_two_instants(fps):
    """What an instant may take from around it never meets what its neighbour may take."""
    task = made([(0, 1000)], fps=fps, seconds=10)
    message = planning.batch_message(task, 0, "c01", range(4))
    times, tolerance = message["segments"][0]["times_s"], message["tolerance_s"]
    for before, after in itertools.pairwise(times):
        assert before + tolerance < after - tolerance


@quick
@given(
    fps=RATES,
    lengths=st.lists(st.floats(0.05, 3.0), min_size=1, max_size=6),
    gaps=st.lists(st.sampled_from([0.0, 0.0, 1e-7, 0.04, 0.5]), min_size=6, max_size=6),
)
def test_an_instant_is_read_from_one_recording_at_most(fps, lengths, gaps):
    """Cameras that write file after file: where one ends and the next begins, nothing is read twice."""
    begin, segments = 0.0, []
    for length, gap in zip(lengths, gaps, strict=False):
        segments.append((begin, length))
        begin += length + gap
    task = made(segments, seconds=begin, fps=fps, batch_instants=1000)
    found = [(i, t, s) for s in segments_of(task) for i, t in zip(s["instants"], s["times_s"], strict=True)]
    instants = [i for i, _, _ in found]
    assert instants == sorted(set(instants))
    for instant, time_s, segment in found:
        assert 0 <= time_s < segment["duration_s"] + 1e-6
        assert segment["started_at"] + time_s == pytest.approx(planning.instant_time(task, instant), abs=2e-6)


def test_a_boundary_that_floating_point_puts_into_both_files_is_read_once():
    """The first file is a tenth of a microsecond longer than the next one's start says."""
    task = made([(0, 5.0000003), (5, 5)], batch_instants=100)
    first, second = segments_of(task)
    assert (first["instants"][-1], second["instants"][0]) == (50, 51)


def test_gaps_have_no_frames():
    task = made([(0, 2), (5, 2)], batch_instants=100)
    first, second = segments_of(task)
    assert (first["uri"], first["instants"]) == ("0.mp4", list(range(20)))
    assert (second["uri"], second["instants"]) == ("1.mp4", list(range(50, 70)))
    assert second["times_s"][:2] == [0.0, 0.1]


def test_a_batch_that_lies_in_a_gap_is_asked_for_all_the_same():
    """Association needs every camera's word, also when it is: nothing."""
    task = made([(0, 2), (5, 2)])
    assert segments_of(task, 3) == []
    assert list(planning.batch_instants(task, 3)) == list(range(30, 40))


# -- plans of stored cameras ---------------------------------------------------------------------------------


@pytest.fixture
def camera(yard):
    return yard.cameras.get(slug="c01")


def plan(camera, since: float, until: float) -> dict:
    return planning.plan_recorded(
        cameras=[camera],
        start=START + timedelta(seconds=since),
        end=START + timedelta(seconds=until),
        fps=10,
    )["cameras"][0]


def starts(entry: dict) -> list[float]:
    return [round(s["started_at"] - START.timestamp(), 6) for s in entry["segments"]]


@pytest.mark.django_db
def test_only_recordings_that_cover_part_of_the_span_are_read(camera):
    record(camera, 10, at_s=20)
    record(camera, 10, at_s=30)
    assert starts(plan(camera, 5, 25)) == [0, 20]
    assert starts(plan(camera, 10, 20)) == []
    assert starts(plan(camera, 29.9, 30.1)) == [20, 30]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("offset_s", "found"), [(0.0, [0, 10]), (4.0, [4, 14]), (-4.0, [-4, 6]), (-7.0, [3])]
)
def test_a_wrong_clock_is_corrected(camera, offset_s, found):
    """The offset is added to the camera's own times, also where it decides whether a recording matters."""
    record(camera, 10, at_s=10)
    camera.clock_offset_s = offset_s
    assert starts(plan(camera, 5, 15)) == found


@pytest.mark.django_db
def test_a_wrong_clock_moves_the_instants(camera):
    camera.clock_offset_s = 2.5
    task = made(batch_instants=100)
    task.plan = {"batch_instants": 100, "cameras": [plan(camera, 0, 10)]}
    (segment,) = segments_of(task)
    assert segment["instants"][0] == 25, "the first frame was captured 2.5 s after the task's start"
    assert segment["times_s"][0] == 0.0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seconds", "fps", "instants"), [(1.0, 10, 10), (0.5, 25, 12), (0.1, 1, 1), (10, 60, 600)]
)
def test_a_batch_lasts_as_long_as_the_operator_set(camera, settings, seconds, fps, instants):
    settings.ENV = settings.ENV.model_copy(update={"batch_seconds": seconds})
    planned = planning.plan_recorded(cameras=[camera], start=START, end=START, fps=fps)
    assert planned["batch_instants"] == instants


# -- names of persons ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_persons_are_named_by_what_was_processed_and_how(task):
    seed = planning.person_seed(task)
    again = ProcessingTask.objects.get(pk=task.pk)
    again.pk = None
    assert planning.person_seed(again) == seed
    assert planning.person_id(task, 1) != planning.person_id(task, 2)
    for name, value in (("fps", 5.0), ("start", START + timedelta(seconds=1)), ("score_threshold", 0.5)):
        other = ProcessingTask.objects.get(pk=task.pk)
        setattr(other, name, value)
        assert planning.person_seed(other) != seed, name


@pytest.mark.django_db
def test_live_persons_are_never_those_of_another_task(task):
    task.mode = "live"
    assert planning.person_seed(task) == task.pk


@pytest.mark.django_db
def test_messages_are_plain_json(task):
    message = planning.batch_message(task, 0, "c01")
    assert json.loads(json.dumps(message)) == message
