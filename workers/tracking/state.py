"""The tracker's state on the wire: MessagePack with exact arrays, compressed. Never pickle."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import zstandard

# raised when the meaning of a state changes: a checkpoint of another version is refused, not misread
VERSION = 13
# of Zstandard: half the time of its level 1, for bytes that are a tenth more
LEVEL = -3


def pack(state: dict[str, Any]) -> bytes:
    return zstandard.compress(msgpack.packb({"version": VERSION, "state": state}, default=_encode), LEVEL)


def unpack(data: bytes) -> dict[str, Any]:
    """Raises ValueError when the bytes are not a state of this version."""
    try:
        content = msgpack.unpackb(zstandard.decompress(data), object_hook=_decode, strict_map_key=False)
    except (zstandard.ZstdError, msgpack.UnpackException, ValueError) as error:
        raise ValueError(f"not a tracker state, or one of an older SpotOn: {error}") from error
    if content.get("version") != VERSION:
        raise ValueError(f"tracker state has version {content.get('version')}, this is version {VERSION}")
    return content["state"]


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return {"__array__": array.dtype.str, "shape": list(array.shape), "data": array.tobytes()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot be part of a state: {type(value).__name__}")


def _decode(value: dict) -> Any:
    if "__array__" in value:
        return np.frombuffer(value["data"], value["__array__"]).reshape(value["shape"])
    return value
