"""Process a recording, and print who was seen by which camera: `... http://localhost:8000 demo PASSWORD campus`."""

import sys
from collections import defaultdict

from spoton_client import SpotOn


def main(spoton: SpotOn, environment_id: str) -> str:
    """The id of the task."""
    task = spoton.processing_tasks_start(environment_id=environment_id, pacing="max")
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    with spoton.tracking(task["task_id"], mode="delta") as socket:
        # ends with the task
        for message in socket:
            if message.type == "task_status":
                task = message.payload
            elif message.type == "tracking_update":
                for camera, seen in message.payload["cameras"].items():
                    for track in seen["tracks"]:
                        seconds[track["global_id"]][camera] += 1 / task["fps"]
    print(f"{task['status']}: {len(seconds)} people")
    for person, cameras in seconds.items():
        print(f"{person}:", ", ".join(f"{camera} {s:.1f} s" for camera, s in sorted(cameras.items())))
    return task["task_id"]


if __name__ == "__main__":
    with SpotOn(*sys.argv[1:4]) as client:
        main(client, sys.argv[4])
