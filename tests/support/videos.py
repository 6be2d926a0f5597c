"""What a video is, for tests that were handed one."""

import io

import av


def frames(video: bytes) -> tuple[int, int, int]:
    """Decode it to the end: how many frames, and their width and height."""
    with av.open(io.BytesIO(video), "r") as file:
        found = list(file.decode(video=0))
    return len(found), found[0].width, found[0].height
