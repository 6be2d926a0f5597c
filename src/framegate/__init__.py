"""Self-hosted gateway for reference-to-video APIs: one endpoint, many providers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framegate.client import AsyncFramegate, Framegate
    from framegate.domain.errors import FramegateError

    __version__: str

__all__ = ["AsyncFramegate", "Framegate", "FramegateError", "__version__"]

_MODULES = {
    "AsyncFramegate": "framegate.client",
    "Framegate": "framegate.client",
    "FramegateError": "framegate.domain.errors",
}
_DEPRECATED = {"AsyncGate": "AsyncFramegate", "Gate": "Framegate", "GateError": "FramegateError"}  # until 0.3.0


def __getattr__(name: str) -> object:
    """Import on first use, so that `import framegate` stays cheap."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - reads the disk

        return version("framegate")
    if name in _DEPRECATED:
        import warnings  # noqa: PLC0415 - only for old names

        new = _DEPRECATED[name]
        warnings.warn(f"framegate.{name} is now framegate.{new}", DeprecationWarning, stacklevel=2)
        name = new
    if name in _MODULES:
        from importlib import import_module  # noqa: PLC0415 - brings the HTTP library

        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
