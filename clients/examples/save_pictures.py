"""Save what every camera saw at one moment, with boxes and trails: `... http://localhost:8000 demo PASSWORD TASK`."""

import sys
from datetime import datetime
from pathlib import Path

from spoton_client import SpotOn


def main(spoton: SpotOn, task_id: str, folder: Path) -> None:
    task = spoton.processing_tasks_status(task_id)
    if task["start"] is None or task["end"] is None:
        sys.exit("A live task has no middle.")
    start, end = datetime.fromisoformat(task["start"]), datetime.fromisoformat(task["end"])
    middle = (start + (end - start) / 2).isoformat()
    spoton.media_overlay_config_set(task_id=task_id, trails_seconds=3, labels=True)
    for camera in task["cameras"]:
        picture = spoton.media_frame(task_id, camera, t=middle, width=640)
        (folder / f"{camera}.jpg").write_bytes(picture)
    together = spoton.media_multi_camera(task_id, t=middle, format="webp")
    (folder / "all.webp").write_bytes(together)
    print(f"{len(task['cameras']) + 1} pictures of {middle} in {folder}")


if __name__ == "__main__":
    with SpotOn(*sys.argv[1:4]) as client:
        main(client, sys.argv[4], Path.cwd())
