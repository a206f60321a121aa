"""Follow a task, live or recorded, with what changes alone: `... http://localhost:8000 demo PASSWORD TASK`."""

import asyncio
import sys

from spoton_client import AsyncSpotOn


async def main(spoton: AsyncSpotOn, task_id: str, most: int | None = None) -> None:
    """Until the task ends, or for so many instants."""
    shown = 0
    async with spoton.tracking(task_id, mode="delta", max_rate=5, fields=["map_coords"]) as socket:
        async for message in socket:
            if message.type != "tracking_update":
                continue
            update = message.payload
            places = {
                track["global_id"][:4]: track["map_coords"]
                for camera in update["cameras"].values()
                for track in camera["tracks"]
            }
            print(update["timestamp_captured_utc"], places)
            shown += 1
            if shown == most:
                return


async def run(base_url: str, username: str, password: str, task_id: str) -> None:
    async with AsyncSpotOn(base_url, username, password) as client:
        await main(client, task_id)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:5]))
