"""One gate in front of everything that makes video guided by reference images."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framegate.client import AsyncGate, Gate

    __version__: str

__all__ = ["AsyncGate", "Gate", "__version__"]


def __getattr__(name: str) -> object:
    """Import on first use, so that `import framegate` stays cheap."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - reads the disk

        return version("framegate")
    if name in ("Gate", "AsyncGate"):
        from framegate import client  # noqa: PLC0415 - brings the HTTP library

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
