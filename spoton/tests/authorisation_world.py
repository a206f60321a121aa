"""One environment with something of everything, and people who may do more or less there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import cv2
import numpy as np
from django.utils import timezone

from environments.models import AnalysisSession, Environment, Role
from environments.services import floor_plan_set
from environments.sessions import LIFETIME
from spoton.auth.sessions import session_begin
from tracking import frames, picture_files
from tracking.changes import person_split
from tracking.commit import commit_ready_batches
from tracking.models import Snapshot, StoredCrop
from tracking.planning import person_id, utc
from tracking.services import task_start
from tracking.tests import factories

SLUG, PASSWORD = "hidden-yard", "correct horse battery"
# of the two batches that are done
INSTANTS = 20
FAST_HASHES = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# in the order of what they may do; the stranger is Admin of another environment
CALLERS = ("anonymous", "stranger", "viewer", "operator", "admin", "superuser")


@dataclass(frozen=True)
class World:
    """Values for the arguments of routes and for the bodies of example requests.

    Attributes:
        tokens: access tokens by caller; refresh: of a session of the operator's own.
        sessions: ids of analysis sessions, each of one caller.
    """

    env_id: str
    camera_id: str
    task_id: UUID
    person_id: UUID
    other_id: UUID
    change_id: UUID
    snapshot_id: UUID
    crop_id: UUID
    sessions: dict[str, UUID]
    tokens: dict[str, str]
    refresh: str

    def arguments(self, caller: str) -> dict[str, Any]:
        """Of routes, by name."""
        session = self.sessions.get(caller, self.sessions["operator"])
        return {**vars(self), "session_id": session}

    def elsewhere(self) -> World:
        """The same with names and ids that do not exist."""
        ids = {name: uuid4() for name, value in vars(self).items() if isinstance(value, UUID)}
        return replace(self, env_id="nowhere", sessions={"operator": uuid4()}, **ids)

    def secrets(self) -> list[str]:
        """What nobody may read who is no member; the environment's name, and ids."""
        ids = [str(value) for value in vars(self).values() if isinstance(value, UUID)]
        return [self.env_id, self.env_id.title(), *ids, *map(str, self.sessions.values())]


def build_world() -> World:
    """Two batches of a task are done: two persons in two cameras, with pictures."""
    yard = factories.yard(SLUG)
    floor_plan_set(
        environment=yard, image=cv2.imencode(".png", np.full((40, 80, 3), 230, np.uint8))[1].tobytes()
    )
    for camera in yard.cameras.all():
        factories.record(camera)
    people = _people(yard)
    task = factories.prepared(task_start(user=people["operator"], environment=yard, pacing="max"))
    factories.perceived(task, 0, 1)
    commit_ready_batches(task_id=str(task.pk), associate=factories.walk)
    task.refresh_from_db()
    person, other = person_id(task, 1), person_id(task, 2)
    change = person_split(
        person=yard.persons.get(pk=person), since=utc(task.start.timestamp() + 1), user=people["operator"]
    )
    jpeg, camera = _jpeg(), yard.cameras.get(slug="c01")
    pictures_put(task)
    stored = {"task": task, "camera": camera, "instant": 0, "frame": 0, "captured_at": task.start}
    snapshot = Snapshot.objects.create(
        environment=yard, taken_by=people["operator"], width=640, height=360,
        file=picture_files.write("snapshots/authorisation.jpg", jpeg), **stored,
    )  # fmt: skip
    crop = StoredCrop.objects.create(
        id=uuid4(), person_id=person, width=640, height=360, quality=1, track_id=1,
        file=picture_files.write("crops/authorisation.jpg", jpeg), **stored,
    )  # fmt: skip
    sessions = {
        name: AnalysisSession.objects.create(
            environment=yard, owner=user, start=task.start, end=task.end, cameras=["c01"],
            expires_at=timezone.now() + LIFETIME,
        ).pk
        for name, user in people.items() if name != "stranger"
    }  # fmt: skip
    pairs = {name: session_begin(request=None, username=name, password=PASSWORD)[1] for name in people}
    return World(
        env_id=yard.slug, camera_id="c01", task_id=task.pk, person_id=person, other_id=other,
        change_id=change.pk, snapshot_id=snapshot.pk, crop_id=crop.pk, sessions=sessions,
        tokens={name: pair.access for name, pair in pairs.items()},
        refresh=session_begin(request=None, username="operator", password=PASSWORD)[1].refresh,
    )  # fmt: skip


def pictures_put(task: Any) -> None:
    """Frames of all that is processed."""
    for instant in range(INSTANTS):
        for camera in task.cameras:
            at = task.start.timestamp() + instant / factories.FPS
            kept = frames.StoredFrame(instant, instant, at, 640, 360, _jpeg())
            frames.put(task_id=task.pk, camera=camera, frame=kept)


def _people(yard: Environment) -> dict[str, Any]:
    people = {str(role): factories.person(str(role), yard, role) for role in Role}
    people["stranger"] = factories.person("stranger", factories.yard("other"), Role.ADMIN)
    people["superuser"] = factories.person("superuser", is_superuser=True)
    for user in people.values():
        user.set_password(PASSWORD)
        user.save()
    return people


def _jpeg() -> bytes:
    image = np.zeros((360, 640, 3), np.uint8)
    image[180:] = 255
    return cv2.imencode(".jpg", image)[1].tobytes()
