"""Validation of JSON bodies against pydantic models, with problems in our words and JSON pointers."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError
from pydantic_core import ErrorDetails

from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest

SUBJECT = re.compile(r"^(Value error, |Input |String |List |Dictionary )")
INTEGER_MAX = 2**63 - 1


def _integral(value: object) -> object:
    if not isinstance(value, float) or not value.is_integer():
        return value
    if abs(value) > INTEGER_MAX:
        raise ValueError("should be a 64-bit integer")
    return int(value)


def rule_of(error: ErrorDetails) -> str:
    """Return the broken rule, as a phrase that follows the name of the field."""
    if error["type"] == "missing":
        return "is required"
    return SUBJECT.sub("", error["msg"]).partition(", unable to parse")[0]


Whole = Annotated[StrictInt, BeforeValidator(_integral)]  # 4.0 is an integer in JSON
Word = Annotated[str, Field(min_length=1, max_length=256)]
Url = Annotated[str, Field(min_length=1)]


class Body(BaseModel):
    """JSON object without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Shape = TypeVar("Shape", bound=BaseModel)


def validated(shape: type[Shape], body: object, *, tags: frozenset[str] = frozenset()) -> Shape:
    """Return the body as a model. Raises `InvalidRequest` with every broken rule.

    `tags` are the names of union members, which pydantic puts into locations although they are no part of the body.
    """
    if not isinstance(body, dict):
        raise InvalidRequest([Problem(code="wrong_type", pointer="", message="The body must be a JSON object.")])
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(list(_problems(error.errors(include_url=False), shape, tags | {"[key]"}))) from error


def _problems(errors: Iterable[ErrorDetails], shape: type[BaseModel], tags: frozenset[str]) -> Iterable[Problem]:
    for error in errors:
        path = [part for part in error["loc"] if part not in tags]
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
        yield _problem(error, path, pointer, shape)


def _problem(error: ErrorDetails, path: Sequence[str | int], pointer: str, shape: type[BaseModel]) -> Problem:
    name, kind = ".".join(str(part) for part in path), error["type"]
    if kind == "missing":
        return Problem(code="missing", pointer=pointer, message=f"`{name}` is required.")
    if kind == "extra_forbidden":
        return unknown_field(name, pointer, _fields(_models_at(shape, path[:-1])))
    if kind.startswith("union_tag"):
        choices = _type_choices(_models_at(shape, path))
        message = f"`{name}` must be a JSON object whose `type` is one of {', '.join(choices)}."
        return Problem(code="wrong_type", pointer=pointer, message=message, allowed=choices)
    if kind in ("model_type", "dict_type"):
        return Problem(code="wrong_type", pointer=pointer, message=f"`{name}` must be a JSON object.")
    return Problem(code="invalid_value", pointer=pointer, message=f"`{name}` {rule_of(error)}.")


def _models_at(shape: type[BaseModel], path: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the models that may stand at a path of a body; several in a union."""
    models = [shape]
    for part in path:
        if isinstance(part, str):
            fields = [
                field for model in models for name, field in model.model_fields.items() if part in (name, field.alias)
            ]
            models = [model for field in fields for model in _models_in(field.annotation)]
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _fields(models: Sequence[type[BaseModel]]) -> list[str]:
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def _type_choices(models: Sequence[type[BaseModel]]) -> list[str]:
    """Return the values of `type` in the members of a union."""
    fields = [model.model_fields["type"] for model in models if "type" in model.model_fields]
    return list(dict.fromkeys(choice for field in fields for choice in get_args(field.annotation)))


def unknown_field(name: str, pointer: str, known: Sequence[str]) -> Problem:
    """Return the problem of an unknown field; `known` are the fields beside it."""
    close = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    nearest = close[0] if close else None
    return Problem(code="unknown_field", pointer=pointer, message=f"Unknown field: `{name}`.{hint}", nearest=nearest)
