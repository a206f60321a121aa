"""The files: rows of a task in the formats that others read."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator

from tracking.messages import isoformat
from tracking.models import Detection, Position, ProcessingTask


def mot_rows(task: ProcessingTask, camera_id: int) -> Iterator[list]:
    """MOT challenge rows of one camera; frames are the source's zero-based presentation indices.

    Identities are counted from 1 in the order in which the persons first appear in the task.
    """
    numbers: dict = {}
    first = (
        Detection.objects.filter(task=task)
        .order_by("captured_at", "person_id")
        .values_list("person_id", flat=True)
    )
    for person_id in first.iterator():
        numbers.setdefault(person_id, len(numbers) + 1)
    rows = Detection.objects.filter(task=task, camera_id=camera_id).order_by("frame", "track_id")
    for d in rows.iterator():
        box = [round(v, 2) for v in (d.x1, d.y1, d.x2 - d.x1, d.y2 - d.y1)]
        yield [d.frame, numbers[d.person_id], *box, round(d.confidence, 4), -1, -1, -1]


def mot_zip(task: ProcessingTask) -> bytes:
    """A ZIP with one MOT file per camera."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in task.plan["cameras"]:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(mot_rows(task, entry["camera_id"]))
            archive.writestr(f"{entry['camera']}.txt", text.getvalue())
    return buffer.getvalue()


def map_csv(task: ProcessingTask) -> bytes:
    """Positions of all persons, as they were known live."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", "id", "x", "y", "vx", "vy", "sigma", "captured_at"])
    for p in Position.objects.filter(task=task).order_by("instant", "person_id").iterator():
        values = [round(v, 4) for v in (p.x_m, p.y_m, p.vx_m_s, p.vy_m_s, p.sigma_m)]
        writer.writerow([p.instant, p.person_id, *values, isoformat(p.captured_at)])
    return text.getvalue().encode()
