"""The output file of a video: a name made from the prompt, and no silent overwriting."""

import os
import re
from pathlib import Path

from framegate.cli.console import Exit, fail

NAME_CHARS_MAX = 40
VIDEO_SUFFIXES = (".mp4", ".m4v")
# Looks like a named reference; the gateway checks the name.
NAMED_REFERENCE = re.compile(r"([^=/\\:]+)=(.+)", re.DOTALL)


def default_name(prompt: str | None, job_id: str) -> str:
    """A name made from the first words of the prompt and the end of the job id."""
    words = re.findall(r"[a-z0-9]+", (prompt or "").lower())
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word
        if len(longer) > NAME_CHARS_MAX:
            break
        slug = longer
    return f"{slug or 'video'}-{job_id[-8:]}.mp4"


def check_output_path(path: Path, *, force: bool) -> None:
    """End the command if the video could not be written, before the job is created."""
    folder = path.parent
    if path.is_dir():
        fail(f"This is a folder: {path}", Exit.USAGE, f"use the name of a file: -o {path / 'video.mp4'}")
    if not folder.is_dir():
        fail(f"Folder not found: {folder}", Exit.USAGE, f"create it: mkdir -p {folder}")
    if path.exists() and not force:
        fail(f"File already exists: {path}", Exit.USAGE, "overwrite it with --force, or use another name with -o")
    if not os.access(folder, os.W_OK):
        fail(f"Folder is not writable: {folder}", Exit.USAGE)


def check_video_name(path: Path) -> None:
    """End the command if the name of a new video promises another kind of file. Videos are MP4 files."""
    if path.suffix and path.suffix.lower() not in VIDEO_SUFFIXES and path.suffix[1:].isalpha():
        fail(f"Videos are MP4 files, not {path.suffix}: {path}", Exit.USAGE, f"use -o {path.with_suffix('.mp4')}")
