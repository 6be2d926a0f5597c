"""Videos of the simulation: one small video, with a box at its end that makes each order's file its own."""

import struct
import tempfile
from functools import cache
from pathlib import Path

from support.stub_renderer import write_small_video

# One white pixel would be too small for every model.
BOX_TAG = b"free"


@cache
def _base() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_small_video(Path(folder, "video.mp4")).read_bytes()


@cache
def _picture() -> bytes:
    import io

    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (512, 512), "teal").save(data, "PNG")
    return data.getvalue()


def video_of(order_id: str) -> bytes:
    """Return the whole file of an order."""
    name = order_id.encode()
    return _base() + struct.pack(">I4s", 8 + len(name), BOX_TAG) + name


def is_video_of_an_order(data: bytes) -> bool:
    """Whether a file is whole, whichever order's it is."""
    return data.startswith(_base()) and data[len(_base()) + 4 : len(_base()) + 8] == BOX_TAG


PICTURE = _picture()
