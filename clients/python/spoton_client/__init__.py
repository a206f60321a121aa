"""A client of SpotOn: `SpotOn` for threads, `AsyncSpotOn` for asyncio, the same methods."""

from spoton_client.client import AsyncSpotOn, SpotOn
from spoton_client.conversation import FrameHeader, Message, Picture
from spoton_client.errors import ApiError, SignedOutError, SocketClosedError, SpotOnError, UnreachableError
from spoton_client.sockets import AsyncSocket, Socket

__all__ = [
    "ApiError",
    "AsyncSocket",
    "AsyncSpotOn",
    "FrameHeader",
    "Message",
    "Picture",
    "SignedOutError",
    "Socket",
    "SocketClosedError",
    "SpotOn",
    "SpotOnError",
    "UnreachableError",
]
