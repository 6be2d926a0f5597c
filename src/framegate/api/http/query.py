"""Query parameters on routes that are Framegate's own: one that is not known is refused, not left out.

On OpenRouter's routes it is left alone: its clients may send what only OpenRouter knows.
"""

from difflib import get_close_matches

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest

NAME_CHARS_MAX = 60


def _known_alone(request: Request) -> None:
    route = request.scope.get("route")
    known = [field.alias for field in route.dependant.query_params] if isinstance(route, APIRoute) else []
    strange = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if strange:
        raise InvalidRequest([_problem(name, known) for name in strange])


def _problem(name: str, known: list[str]) -> Problem:
    near = get_close_matches(name, known, n=1)
    there = f"There are {', '.join(f'`{one}`' for one in known)}." if known else "There is none here."
    meant = f" Did you mean `{near[0]}`?" if near else ""
    short = name[:NAME_CHARS_MAX]
    return Problem(
        code="invalid_parameter",
        pointer=f"/{short}",
        message=f"`{short}` is no query parameter of this address. {there}{meant}",
        allowed=known,
        nearest=near[0] if near else None,
    )


KNOWN_ALONE = Depends(_known_alone)
