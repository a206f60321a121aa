"""Somebody who watches: both sockets of whatever task runs, opened again whenever they are closed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter

import websockets

# a picture is acknowledged long before 200 of them are outstanding
ACKNOWLEDGE_EVERY = 50
COME_BACK_SECONDS = 0.5


class Viewer:
    """Watches tasks in a thread of its own until left.

    Attributes:
        token: taken for every new socket.
        messages: received, by socket; closes: by close code (0: broken off without one).
    """

    def __init__(self, base_url: str, token: str) -> None:
        self.messages: Counter[str] = Counter()
        self.closes: Counter[int] = Counter()
        self._base_url, self.token = base_url.replace("http", "ws", 1), token
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="viewer", daemon=True)
        self._watching: list[asyncio.Future] = []

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def watch(self, *task_ids: str) -> None:
        """From now on these tasks and no others."""
        asyncio.run_coroutine_threadsafe(self._change(task_ids), self._loop).result(30)

    async def _change(self, task_ids: tuple[str, ...]) -> None:
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._watching = [
            asyncio.ensure_future(self._follow(kind, task_id))
            for task_id in task_ids
            for kind in ("tracking", "frames")
        ]

    async def _follow(self, kind: str, task_id: str) -> None:
        url = f"{self._base_url}/ws/{kind}/{task_id}"
        while True:
            try:
                async with websockets.connect(
                    url, subprotocols=["bearer", self.token], max_size=2**22
                ) as socket:
                    async for message in socket:
                        self.messages[kind] += 1
                        await self._acknowledge(socket, message)
                    self.closes[socket.close_code or 0] += 1
                    if socket.close_code == 4409:
                        return
            except (OSError, websockets.WebSocketException) as error:
                received = getattr(error, "rcvd", None)
                self.closes[received.code if received else 0] += 1
            await asyncio.sleep(COME_BACK_SECONDS)

    async def _acknowledge(self, socket: websockets.ClientConnection, message: str | bytes) -> None:
        if isinstance(message, str):
            return
        length = int.from_bytes(message[:4], "big")
        seq = json.loads(message[4 : 4 + length])["seq"]
        if seq % ACKNOWLEDGE_EVERY == 0:
            with contextlib.suppress(websockets.ConnectionClosed):
                await socket.send(json.dumps({"type": "ack", "seq": seq}))
