"""One request held against one set of limits, and how its problems are put into words."""

from collections.abc import Iterable
from dataclasses import dataclass

from framegate.catalogue.model import Defaults, Limits
from framegate.domain import Kind, Request, Role

DIGITS_MAX = 12  # of a client's number, as a message repeats it


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """A request, the limits and defaults that it is held against, and by what name they are called."""

    request: Request
    limits: Limits
    defaults: Defaults
    subject: str

    def count(self, *places: tuple[Role, Kind]) -> int:
        """How many references stand at these roles and kinds; further views of one are not counted."""
        return sum(
            reference.same_subject_as is None and (reference.role, reference.kind) in places
            for reference in self.request.references
        )

    def has(self, *roles: Role) -> bool:
        """Whether any reference has one of these roles."""
        return any(reference.role in roles for reference in self.request.references)


def pointer_to(request: Request, index: int) -> str:
    """Where the client wrote this reference."""
    return request.references[index].pointer or f"/references/{index}"


def listed(values: Iterable[object], *, unit: str = "", last: str = "or") -> str:
    """Put choices into words: "4, 6 or 8 s"; four or more neighbouring numbers become "3 to 15 s"."""
    items = list(values)
    numbers = [item for item in items if isinstance(item, int)]
    if len(numbers) == len(items) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}{unit}"
    words = [str(item) for item in items]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) + unit


def shown(value: object) -> str:
    """A client's value, quoted and cut so that a message stays readable."""
    text = str(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def shown_number(number: int) -> str:
    """A client's number; one of very many digits in short, so that a message stays readable."""
    digits = str(number)
    return digits if len(digits) <= DIGITS_MAX else f"{digits[: 1 + (number < 0)]}e{len(digits.lstrip('-')) - 1}"


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 image", "3 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
