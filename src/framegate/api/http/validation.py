"""Validation of JSON bodies against pydantic models, with problems in our words and JSON pointers."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, Tag, ValidationError
from pydantic_core import ErrorDetails

from framegate.domain import Problem
from framegate.domain.errors import PROBLEMS_MAX, InvalidRequest
from framegate.domain.field_names import hint_for

SUBJECT = re.compile(r"^(Value error, |Input |String |List |Dictionary )")
INTEGER_MAX = 2**63 - 1
NAME_CHARS_MAX = 100  # of a name that a client made up, in a message


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
        errors = error.errors(include_url=False, include_input=False)
        problems = list(_problems(errors[:PROBLEMS_MAX], shape, tags | {"[key]"}))
        raise InvalidRequest(problems, omitted=len(errors) - len(problems)) from error


def json_pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer of a path into a body, with each name of the client truncated."""
    return "".join(f"/{str(part)[:NAME_CHARS_MAX].replace('~', '~0').replace('/', '~1')}" for part in path)


def _problems(errors: Iterable[ErrorDetails], shape: type[BaseModel], tags: frozenset[str]) -> Iterable[Problem]:
    for error in errors:
        path = [part for part in error["loc"] if part not in tags]
        yield _problem(error, path, json_pointer(path), shape)


def _problem(error: ErrorDetails, path: Sequence[str | int], pointer: str, shape: type[BaseModel]) -> Problem:
    name, kind = ".".join(str(part)[:NAME_CHARS_MAX] for part in path), error["type"]
    if kind == "missing":
        return Problem(code="missing", pointer=pointer, message=f"`{name}` is required.")
    if kind == "extra_forbidden":
        return unknown_field(name, pointer, _fields(_models_at(shape, error["loc"][:-1])))
    if kind.startswith("union_tag"):
        choices = _type_choices(_models_at(shape, error["loc"]))
        message = f"`{name}` must be a JSON object whose `type` is one of {', '.join(choices)}."
        return Problem(code="wrong_type", pointer=pointer, message=message, allowed=choices)
    if kind in ("model_type", "dict_type"):
        return Problem(code="wrong_type", pointer=pointer, message=f"`{name}` must be a JSON object.")
    return Problem(code="invalid_value", pointer=pointer, message=f"`{name}` {rule_of(error)}.")


def _models_at(shape: type[BaseModel], loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the models that may stand at a location; in a union, only the member whose tag the location has."""
    candidates: list[tuple[str | None, type[BaseModel]]] = [(None, shape)]
    for part in loc:
        tagged = [(tag, model) for tag, model in candidates if tag == part]
        if tagged:
            candidates = tagged
        elif isinstance(part, str):
            candidates = [
                member
                for _, model in candidates
                for name, field in model.model_fields.items()
                if part in (name, field.alias)
                for member in _members(field.annotation)
            ]
    return [model for _, model in candidates]


def _members(annotation: Any, tag: str | None = None) -> Iterator[tuple[str | None, type[BaseModel]]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield tag, annotation
    arguments = get_args(annotation)
    tag = next((item.tag for item in arguments if isinstance(item, Tag)), tag)
    for argument in arguments:
        yield from _members(argument, tag)


def _fields(models: Sequence[type[BaseModel]]) -> list[str]:
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def _type_choices(models: Sequence[type[BaseModel]]) -> list[str]:
    """Return the values of `type` in the members of a union."""
    fields = [model.model_fields["type"] for model in models if "type" in model.model_fields]
    return list(dict.fromkeys(choice for field in fields for choice in get_args(field.annotation)))


def unknown_field(name: str, pointer: str, known: Sequence[str]) -> Problem:
    """Return the problem of an unknown field; `known` are the fields beside it."""
    hint, nearest = hint_for(name.rpartition(".")[2], known)
    return Problem(code="unknown_field", pointer=pointer, message=f"Unknown field: `{name}`.{hint}", nearest=nearest)
