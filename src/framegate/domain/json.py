"""Access to parsed JSON of unknown shape: a missing or differently typed part is None or empty, never an error."""

from typing import Any, cast


def at(value: Any, *path: str | int) -> Any:  # noqa: ANN401 - a JSON value
    """The value at a path of keys and indexes; None where there is none."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = cast("dict[str, Any]", value).get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[step]
        else:
            return None
    return value


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []
