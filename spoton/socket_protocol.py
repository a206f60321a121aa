"""Sockets as uvicorn serves them, but compressed once for all who are sent the same.

Updates of one instant differ between viewers in their first bytes only: each counts its own `seq`. So a message is
made of two parts of a deflate stream (RFC 1951): the beginning as a stored block, and what follows `"payload":`
compressed by itself, which is done once and kept. Such parts may follow each other in one message (RFC 7692) as long
as no message builds on the one before: `server_no_context_takeover` is always agreed. That also keeps 200 viewers
from having a compressor each.
"""

from __future__ import annotations

import re
import socket
import zlib
from asyncio import BaseTransport
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.typing import ExtensionParameter

# shorter messages travel as they are: a stored block and its bookkeeping would make them longer
LEAST_BYTES = 256
# parts that are kept: a moment's updates in a few forms
MOST_KEPT = 64
# fast; the next level takes twice the time for a few per cent
LEVEL = 3
# what is each viewer's own: the number, and in deltas on which one they build
_OWN = re.compile(rb'^[^\[]{0,200}?,"payload":(?:\{"base_seq":\d+,)?')
# what the system keeps on its way to one viewer (it takes twice as much)
SEND_BUFFER_BYTES = 128 * 1024
# what is still on its way when a socket ends has this long to arrive
FAREWELL_S = 5.0
# a flush ends with an empty stored block, which the protocol leaves out
_END = b"\x00\x00\xff\xff"


class SharedDeflate(PerMessageDeflate):
    """permessage-deflate for text that is worth it; pictures are compressed already and go as they are."""

    def encode(self, frame: Frame) -> Frame:
        if frame.opcode is not Opcode.TEXT or not frame.fin or len(frame.data) < LEAST_BYTES:
            return frame
        data = deflated(bytes(frame.data), self.local_max_window_bits)
        return Frame(frame.opcode, data, frame.fin, True, frame.rsv2, frame.rsv3)


def deflated(message: bytes, window_bits: int) -> bytes:
    """The message as one permessage-deflate payload."""
    own = _OWN.match(message)
    if own is None:
        return _shared(message, window_bits)
    return _stored(own.group()) + _shared(message[own.end() :], window_bits)


def _stored(data: bytes) -> bytes:
    """A block that is not compressed: header, length, its complement."""
    return b"\x00" + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data


@lru_cache(maxsize=MOST_KEPT)
def _shared(data: bytes, window_bits: int) -> bytes:
    encoder = zlib.compressobj(LEVEL, zlib.DEFLATED, -window_bits)
    return (encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_END)


class _Factory(ServerPerMessageDeflateFactory):
    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        response, agreed = super().process_request_params(params, accepted_extensions)
        return response, SharedDeflate(
            agreed.remote_no_context_takeover,
            agreed.local_no_context_takeover,
            agreed.remote_max_window_bits,
            agreed.local_max_window_bits,
        )


class SocketProtocol(WebSocketsSansIOProtocol):
    """For uvicorn's `--ws`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.config.ws_per_message_deflate:
            self.conn.available_extensions = [_Factory(server_no_context_takeover=True)]

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # else the system keeps megabytes for a reader who takes nothing: minutes of old updates
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        # the socket is over; a reader who takes nothing would keep the connection for as long as they like
        if self.transport.get_write_buffer_size():
            self.loop.call_later(FAREWELL_S, self.transport.abort)
