"""What every rule needs: the request, the limits that it is checked against, and the wording of problems."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from framegate.catalogue.model import Defaults, Limits
from framegate.domain import Kind, Reference, Request, Role

DIGITS_MAX = 12  # of a client's number, as a message repeats it
QUOTE_CHARS_MAX = 60  # of a client's text, as a message repeats it
RANGE_MIN = 4  # as many consecutive numbers are written as a range


class ReferenceCounts:
    """Numbers of a request's references, by role and kind. Several views of one subject count once."""

    def __init__(self, references: Sequence[Reference]) -> None:
        self.roles = frozenset(reference.role for reference in references)
        self.by_place = Counter(
            (reference.role, reference.kind) for reference in references if reference.same_subject_as is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """A request, the limits and defaults that it is checked against, and the subject of the messages."""

    request: Request
    limits: Limits
    defaults: Defaults
    subject: str
    counts: ReferenceCounts

    def count(self, *places: tuple[Role, Kind]) -> int:
        """The number of references of these roles and kinds."""
        return sum(map(self.counts.by_place.__getitem__, places))

    def has(self, *roles: Role) -> bool:
        """Whether any reference has one of these roles."""
        return not self.counts.roles.isdisjoint(roles)


def pointer_to(request: Request, index: int) -> str:
    """JSON pointer to a reference in the request as the client wrote it."""
    return request.references[index].pointer or f"/references/{index}"


def listed(values: Iterable[object], *, unit: str = "", last: str = "or") -> str:
    """Choices as text: `4, 6 or 8 s`; four or more consecutive numbers as a range: `3 to 15 s`."""
    items = list(values)
    numbers = [item for item in items if isinstance(item, int)]
    if len(numbers) == len(items) >= RANGE_MIN and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}{unit}"
    words = [str(item) for item in items]
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) + unit


def quoted(value: object) -> str:
    """A client's value in quotation marks, shortened so that a message stays readable."""
    text = str(value)
    return f'"{text[:QUOTE_CHARS_MAX]}…"' if len(text) > QUOTE_CHARS_MAX else f'"{text}"'


def short_number(number: int) -> str:
    """A client's number, in scientific notation if it is long, so that a message stays readable."""
    digits = str(number)
    return digits if len(digits) <= DIGITS_MAX else f"{digits[: 1 + (number < 0)]}e{len(digits.lstrip('-')) - 1}"


def counted(number: int, noun: str) -> str:
    """A number and its noun: `1 image`, `3 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
