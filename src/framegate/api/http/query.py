"""Rejection of unknown query parameters, for the routes that are Framegate's own.

OpenRouter's routes ignore them: its clients may send parameters that only OpenRouter knows.
"""

from difflib import get_close_matches

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest

NAME_CHARS_MAX = 60


def _reject_unknown(request: Request) -> None:
    route = request.scope.get("route")
    known = [field.alias for field in route.dependant.query_params] if isinstance(route, APIRoute) else []
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise InvalidRequest([_problem(name, known) for name in unknown])


def _problem(name: str, known: list[str]) -> Problem:
    close = get_close_matches(name, known, n=1)
    valid = f"Valid parameters: {', '.join(f'`{parameter}`' for parameter in known)}." if known else "It has none."
    hint = f" Did you mean `{close[0]}`?" if close else ""
    short = name[:NAME_CHARS_MAX]
    return Problem(
        code="invalid_parameter",
        pointer=f"/{short}",
        message=f"`{short}` is not a query parameter of this path. {valid}{hint}",
        allowed=known,
        nearest=close[0] if close else None,
    )


KNOWN_QUERY_ONLY = Depends(_reject_unknown)
