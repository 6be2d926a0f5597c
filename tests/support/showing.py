"""Small videos made of the pictures that a fake GPU server received, and the size of a video."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np


def render_clip(job: Any) -> bytes:
    """A clip in the requested size: the job's pictures one after another, each moving."""
    size = job.width, job.height
    stills = [np.asarray(picture.convert("RGB").resize(size)) for picture in job.pictures]
    stills = stills or [np.full((job.height, job.width, 3), 90, np.uint8)]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=job.fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = job.width, job.height, "yuv420p"
        for number in range(job.frames):
            still = stills[number * len(stills) // job.frames]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(still, number, axis=1)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def measured(path: Path) -> tuple[int, int, int]:
    """Width, height and number of frames of a video that decodes to its end."""
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        return container.streams.video[0].width, container.streams.video[0].height, frames
