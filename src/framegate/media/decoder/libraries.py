"""Imports of everything that decodes, for a decoder process that is started ahead of its first call."""

import importlib

MODULES = ("inspection", "letterbox", "thumbnails", "quality.verification")


def load() -> None:
    """Import the decoding libraries, which takes half a second."""
    for name in MODULES:
        importlib.import_module(f"framegate.media.{name}")
