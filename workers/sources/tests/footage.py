"""Makes small recordings for tests.

Frame i shows i as a row of black and white squares, so that it can be read back whatever the codec did to it.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, BITS = 128, 96, 8


def numbered_image(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """uint8 BGR (height, width, 3): the number on top, below it a texture that changes with it."""
    image = np.full((height, width, 3), 128, np.uint8)
    for bit in range(BITS):
        image[: height // 2, bit * width // BITS : (bit + 1) * width // BITS] = 235 * (number >> bit & 1)
    y, x = np.mgrid[height // 2 : height, 0:width]
    image[height // 2 :] = ((x * 3 + y * 5 + number * 7) % 200)[..., None]
    return image


def read_number(image: np.ndarray) -> int:
    """The number a frame was made with."""
    height, width = image.shape[:2]
    cells = image[height // 8 : height * 3 // 8, :, 1].reshape(-1, BITS, width // BITS).mean((0, 2))
    return int(sum(1 << bit for bit in range(BITS) if cells[bit] > 128))


def write_video(
    path: Path,
    codec: str = "libx264",
    frames: int = 60,
    fps: int = 10,
    keyframe_every: int = 12,
    b_frames: int = 2,
    first_pts: int = 0,
    **options: str,
) -> Path:
    """Encodes numbered images. The container follows from the suffix, `options` go to codec or muxer."""
    muxer = {key: options.pop(key) for key in ("movflags",) if key in options}
    with av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        if codec not in ("mjpeg", "libvpx-vp9"):
            stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_image(number), format="bgr24")
            frame.pts, frame.time_base = first_pts + number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
