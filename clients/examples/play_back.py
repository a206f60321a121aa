"""Play a task back from its middle, four times as fast: `... http://localhost:8000 demo PASSWORD TASK`."""

import sys

from spoton_client import SpotOn


def main(spoton: SpotOn, task_id: str) -> None:
    fps = spoton.processing_tasks_status(task_id)["fps"]
    # whoever watches the task sees the same moment: `playback_follow` lets them go
    spoton.playback_seek(task_id, position=0.5)
    spoton.playback_play(task_id, speed=4)
    try:
        with spoton.tracking(task_id) as socket:
            for message in socket:
                if message.type != "playback_frame":
                    continue
                controls = message.payload["playback_controls"]
                people = sum(message.payload["frame_data"]["person_count_per_camera"].values())
                print(f"{controls['position']:.0%} {message.payload['timestamp']}: {people} in view")
                left_s = (1 - controls["position"]) * controls["duration"]
                if left_s <= 1 / fps + 1e-3:
                    break
    finally:
        spoton.playback_follow(task_id)


if __name__ == "__main__":
    with SpotOn(*sys.argv[1:4]) as client:
        main(client, sys.argv[4])
