"""Export jobs: asked for, run by a worker, downloaded by those who may."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from environments.errors import EnvironmentNotFoundError, PermissionDeniedError
from exports import formats, services
from exports.models import ExportJob
from exports.tasks import run, watch
from tracking.commit import commit_ready_batches
from tracking.planning import person_id
from tracking.tests.factories import perceived, person, queued, walk

pytestmark = pytest.mark.django_db
MOT, MAP_CSV = ExportJob.Format.MOT, ExportJob.Format.MAP_CSV


@pytest.fixture(autouse=True)
def _media_root(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def recorded(task):
    """Two seconds: two persons in two cameras."""
    perceived(task, 0, 1)
    assert commit_ready_batches(task_id=str(task.pk), associate=walk) == 2
    return task


def exported(user, task, format) -> ExportJob:
    job = services.export_request(user=user, task=task, format=format)
    services.export_run(job_id=str(job.pk))
    job.refresh_from_db()
    return job


# -- asking --------------------------------------------------------------------------------------------------


def test_a_job_is_queued_when_its_row_is_there(operator, recorded, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = services.export_request(user=operator, task=recorded, format=MOT)
        assert queued("exports") == []
    assert (job.status, job.created_by) == (ExportJob.Status.QUEUED, operator)
    assert queued("exports") == [("exports.run", [str(job.pk)])]


@pytest.mark.parametrize(("status", "patience"), [("queued", 60), ("running", 1300)])
def test_what_was_lost_is_queued_again_once(
    operator, recorded, django_capture_on_commit_callbacks, status, patience
):
    """After a restart of Redis, or of the worker that was at it."""
    job = services.export_request(user=operator, task=recorded, format=MOT)
    late = timezone.now() - timedelta(seconds=patience + 1)
    for created_at, helped in ((timezone.now(), []), (late, [str(job.pk)]), (late, [])):
        ExportJob.objects.filter(pk=job.pk).update(status=status, created_at=created_at)
        with django_capture_on_commit_callbacks(execute=True):
            assert watch() == helped
    assert queued("exports") == [("exports.run", [str(job.pk)])]


def test_finished_exports_are_left_alone(operator, recorded):
    job = exported(operator, recorded, MOT)
    ExportJob.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=1))
    assert watch() == []


def test_only_operators_may_export(viewer, stranger, recorded):
    with pytest.raises(PermissionDeniedError):
        services.export_request(user=viewer, task=recorded, format=MOT)
    with pytest.raises(EnvironmentNotFoundError):
        services.export_request(user=stranger, task=recorded, format=MOT)
    assert not ExportJob.objects.exists()


# -- the files -----------------------------------------------------------------------------------------------


def test_mot_is_one_file_per_camera(operator, recorded):
    job = exported(operator, recorded, MOT)
    assert (job.status, job.error) == (ExportJob.Status.DONE, "")
    assert job.file.name.endswith(f"yard-{str(recorded.pk)[:8]}-mot.zip")
    with zipfile.ZipFile(job.file.open()) as archive:
        assert archive.namelist() == ["c01.txt", "c02.txt"]
        lines = archive.read("c01.txt").decode().splitlines()
    assert len(lines) == 20 * 2
    # frame, id, x, y, w, h, conf: person 1 at (0.5, 1.0) m, 100 px per metre
    rows = [line.split(",") for line in lines]
    assert {tuple(row[2:]) for row in rows if row[0] == "0"} == {
        ("30.0", "20.0", "40.0", "80.0", "0.9", "-1", "-1", "-1"),
        ("30.0", "120.0", "40.0", "80.0", "0.9", "-1", "-1", "-1"),
    }
    assert {row[1] for row in rows} == {"1", "2"}
    assert [int(row[0]) for row in rows] == sorted(i for i in range(20) for _ in range(2))


def test_one_person_has_one_number_in_all_cameras(recorded):
    first, second = (
        {row[1]: row[3] for row in formats.mot_rows(recorded, entry["camera_id"]) if row[0] == 0}
        for entry in recorded.plan["cameras"]
    )
    assert first == second


def test_positions_on_the_map(operator, recorded):
    job = exported(operator, recorded, MAP_CSV)
    rows = list(csv.DictReader(io.TextIOWrapper(job.file.open(), "utf-8")))
    assert len(rows) == 20 * 2
    of_one = [row for row in rows if row["id"] == str(person_id(recorded, 1))]
    assert of_one[3] == {
        "frame": "3",
        "id": str(person_id(recorded, 1)),
        "x": "0.8",
        "y": "1.0",
        "vx": "1.0",
        "vy": "0.0",
        "sigma": "0.1",
        "captured_at": "2026-05-04T08:00:00.300Z",
    }


@pytest.mark.parametrize("format", [MOT, MAP_CSV])
def test_a_task_without_rows_gives_an_empty_file_not_an_error(operator, task, format):
    assert exported(operator, task, format).status == ExportJob.Status.DONE


# -- running -------------------------------------------------------------------------------------------------


def test_the_worker_runs_what_it_is_told(operator, recorded):
    job = services.export_request(user=operator, task=recorded, format=MOT)
    run(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.finished_at is not None) == (ExportJob.Status.DONE, True)


def test_a_redelivered_message_changes_nothing(operator, recorded):
    job = exported(operator, recorded, MOT)
    name, finished_at = job.file.name, job.finished_at
    services.export_run(job_id=str(job.pk))
    job.refresh_from_db()
    assert (job.file.name, job.finished_at) == (name, finished_at)


def test_unknown_jobs_are_ignored():
    services.export_run(job_id="00000000-0000-4000-8000-000000000000")


def test_a_failure_is_recorded_without_inner_secrets_and_can_be_repeated(
    operator, recorded, settings, tmp_path
):
    """The disk is not writable: the job says so in words; run again it succeeds and forgets the error."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    good, settings.MEDIA_ROOT = settings.MEDIA_ROOT, blocked
    job = exported(operator, recorded, MOT)
    assert (job.status, bool(job.file)) == (ExportJob.Status.FAILED, False)
    assert "could not be written" in job.error
    assert str(blocked) not in job.error
    assert job.finished_at is not None
    settings.MEDIA_ROOT = good
    services.export_run(job_id=str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.error) == (ExportJob.Status.DONE, "")


def test_a_done_job_has_a_file(operator, recorded):
    job = services.export_request(user=operator, task=recorded, format=MOT)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExportJob.objects.filter(pk=job.pk).update(status=ExportJob.Status.DONE)


# -- the administration --------------------------------------------------------------------------------------


@pytest.fixture
def clerk(db):
    """Staff, without permissions yet."""
    return person("claire", is_staff=True)


def allow(user, *codenames):
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def download(client, job):
    return client.get(reverse("admin:exports_exportjob_file", args=[job.pk]))


def test_the_file_is_downloaded_by_those_who_may_see_exports(client, operator, recorded, clerk):
    job = exported(operator, recorded, MOT)
    assert download(client, job).status_code == 302, "sign in first"
    client.force_login(operator)
    assert download(client, job).status_code == 302, "no staff"
    client.force_login(clerk)
    assert download(client, job).status_code == 404, "staff, but not for exports"
    allow(clerk, "view_exportjob")
    answer = download(client, job)
    assert answer.status_code == 200
    assert f"yard-{str(recorded.pk)[:8]}-mot.zip" in answer["Content-Disposition"]
    assert b"".join(answer.streaming_content)[:2] == b"PK"


def test_there_is_nothing_to_download_before_it_is_done(client, operator, recorded, clerk):
    allow(clerk, "view_exportjob")
    client.force_login(clerk)
    job = services.export_request(user=operator, task=recorded, format=MOT)
    assert download(client, job).status_code == 404


def test_a_file_that_is_gone_is_not_found(client, operator, recorded, clerk):
    allow(clerk, "view_exportjob")
    client.force_login(clerk)
    job = exported(operator, recorded, MOT)
    job.file.storage.delete(job.file.name)
    assert download(client, job).status_code == 404


def test_an_export_is_asked_for_in_the_administration(
    client, recorded, django_user_model, django_capture_on_commit_callbacks
):
    root = person("root", is_staff=True, is_superuser=True)
    client.force_login(root)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            reverse("admin:exports_exportjob_add"), {"task": str(recorded.pk), "format": "map_csv"}
        )
    assert answer.status_code == 302, answer.content
    job = ExportJob.objects.get()
    assert (job.created_by, job.format, job.status) == (root, "map_csv", "queued")
    assert queued("exports") == [("exports.run", [str(job.pk)])]
    assert client.get(reverse("admin:exports_exportjob_changelist")).status_code == 200
    assert client.get(reverse("admin:tracking_processingtask_changelist")).status_code == 200
