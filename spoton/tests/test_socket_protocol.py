"""Messages compressed once for all: whatever is sent arrives as it was, at a real server and a real client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib

import pytest
import uvicorn
import websockets
from hypothesis import given
from hypothesis import strategies as st

from spoton import socket_protocol
from spoton.services.processes import free_port
from spoton.socket_protocol import LEAST_BYTES, SocketProtocol, deflated

UPDATE = json.dumps(
    {"cameras": {f"c{i}": [{"x": i, "y": 2.5}] * 20 for i in range(4)}}, separators=(",", ":")
)


def inflated(data: bytes, window_bits: int) -> bytes:
    return zlib.decompressobj(-window_bits).decompress(data + b"\x00\x00\xff\xff")


@given(st.text(max_size=400), st.sampled_from([9, 12, 15]))
def test_any_text_comes_back(text, window_bits):
    assert inflated(deflated(text.encode(), window_bits), window_bits) == text.encode()


@pytest.mark.parametrize(
    "head", ['{"type":"tracking_update","seq":%d,"payload":', '{"seq":%d,"payload":{"base_seq":%d,']
)
def test_what_is_the_same_for_all_is_compressed_once(head):
    socket_protocol._shared.cache_clear()
    for seq in range(5):
        own = head % ((seq,) * head.count("%d"))
        message = (own + UPDATE[1 if "base_seq" in own else 0 :] + "}").encode()
        data = deflated(message, 15)
        assert inflated(data, 15) == message
        assert len(data) < len(message) / 3
    assert (socket_protocol._shared.cache_info().misses, socket_protocol._shared.cache_info().hits) == (1, 4)


async def _app(scope, receive, send):
    """Sends back what it gets, and large text and binary messages of its own in between."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        for seq in range(3):
            text = f'{{"type":"tracking_update","seq":{seq},"payload":{UPDATE}}}'
            await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.send", "bytes": b"\xff\xd8" * 1000})
        await send({"type": "websocket.send", "text": event["text"]})


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_compressed_or_not_messages_arrive_as_they_were(compression):
    port = free_port("127.0.0.1", 8650)
    config = uvicorn.Config(_app, port=port, ws=SocketProtocol, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        async with websockets.connect(f"ws://127.0.0.1:{port}", compression=compression) as client:
            assert len(client.protocol.extensions) == (1 if compression else 0)
            for text in ("small", "x" * (4 * LEAST_BYTES), UPDATE):
                await client.send(text)
                for seq in range(3):
                    message = json.loads(await client.recv())
                    assert (message["seq"], message["payload"]) == (seq, json.loads(UPDATE))
                assert await client.recv() == b"\xff\xd8" * 1000
                assert await client.recv() == text
    finally:
        server.should_exit = True
        await serving


async def _until_nothing_is_taken(scope, receive, send):
    """Sends until the viewer takes nothing for a moment, and ends."""
    await receive()
    await send({"type": "websocket.accept"})
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.3):
                await send({"type": "websocket.send", "bytes": bytes(64 * 1024)})


async def test_who_takes_nothing_is_let_go(monkeypatch):
    """Their connection does not stay behind with all that they never took."""
    monkeypatch.setattr(socket_protocol, "FAREWELL_S", 0.2)
    port = free_port("127.0.0.1", 8650)
    config = uvicorn.Config(
        _until_nothing_is_taken, port=port, ws=SocketProtocol, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        async with websockets.connect(f"ws://127.0.0.1:{port}", max_queue=1, close_timeout=0.1):
            async with asyncio.timeout(30):
                while not server.server_state.connections:
                    await asyncio.sleep(0.01)
                while server.server_state.connections:
                    await asyncio.sleep(0.05)
    finally:
        server.should_exit = True
        await serving
