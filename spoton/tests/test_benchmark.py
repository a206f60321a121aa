"""The product's benchmarks measure what they say, with small sizes."""

from __future__ import annotations

import pytest

from spoton.benchmark import pictures
from spoton.benchmark.matching import matching
from spoton.benchmark.recording import _batch, _bulk_create, _task, rows
from spoton.benchmark.scenes import scenes
from tracking.models import Appearance, Detection, Person, Position
from tracking.record import record_tracks


@pytest.mark.django_db
def test_recording_leaves_nothing_behind():
    (row,) = rows(instants=(2,), repeats=1)
    assert row["rows"] == 2 * (4 * 10 + 10)
    assert row["times as fast"] > 0
    assert not Detection.objects.exists()
    assert not Person.objects.exists()


@pytest.mark.django_db
def test_pictures_are_made_and_answered_in_every_way():
    found = pictures.rows(count=2)
    assert len({row["what"] for row in found}) == len(found) == 6
    assert all(0 < row["median"] <= row["p95"] for row in found)


def test_people_who_are_in_both_halves_of_a_scene_are_counted_once_each():
    report = matching([("campus", 7, 8, 8.0)])
    row, total = report.rows
    assert {**total, "scene": row["scene"]} == row
    assert 3 <= row["in both"] <= 8
    for way in ("as they are", "special"):
        assert 0 <= row[way] <= row["in both"]
        assert row[f"{way}: wrong"] == 0
    assert row["special"] >= row["as they are"]


def test_scenes_are_scored_across_cameras_and_on_the_map_live_and_corrected():
    row, mean = scenes([("campus", 7, 4, 6.0)]).rows
    assert {**mean, "scene": row["scene"]} == row
    assert row["scene"] == "campus, seed 7"
    scores = [
        row[f"{where} {measure}"] for where in ("across", "live", "corrected") for measure in ("MOTA", "IDF1")
    ]
    assert all(40 < score <= 100 for score in scores)


@pytest.mark.django_db
def test_both_ways_of_recording_write_the_same_rows():
    def written() -> list:
        return [
            list(model.objects.order_by("pk").values_list()) for model in (Person, Detection, Position)
        ] + [list(Appearance.objects.order_by("origin_id").values_list("person_id", "weight", "seen_at"))]

    task = _task()
    batch = _batch(task, 2)
    record_tracks(task=task, rows=batch)
    copied = written()
    Person.objects.all().delete()
    _bulk_create(task, batch)
    assert written() == copied
