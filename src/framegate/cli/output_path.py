"""Where a video goes: a name from its prompt, and never over a file that is there."""

import os
import re
from pathlib import Path

from framegate.cli.console import Exit, fail

NAME_CHARS_MAX = 40
# What may be meant as the name of a reference; the check says which names can be.
NAMED = re.compile(r"([^=/\\:]+)=(.+)", re.DOTALL)


def default_name(prompt: str | None, job_id: str) -> str:
    """A name from the prompt's first words and the end of the job's id."""
    words = re.findall(r"[a-z0-9]+", (prompt or "").lower())
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word
        if len(longer) > NAME_CHARS_MAX:
            break
        slug = longer
    return f"{slug or 'video'}-{job_id[-8:]}.mp4"


def free_place(path: Path, *, force: bool) -> None:
    """End the command where a video could not be written, before anything is made."""
    folder = path.parent
    if path.is_dir():
        fail(f"{path} is a folder.", Exit.USAGE, f"name the file: -o {path / 'video.mp4'}")
    if not folder.is_dir():
        fail(f"There is no folder {folder}.", Exit.USAGE, f"make it: mkdir -p {folder}")
    if path.exists() and not force:
        fail(f"{path} is there already.", Exit.USAGE, "write over it with --force, or give another name with -o.")
    if not os.access(folder, os.W_OK):
        fail(f"The folder {folder} cannot be written to.", Exit.USAGE)
