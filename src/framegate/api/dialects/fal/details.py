"""What is wrong with an input, one detail for each rule that it breaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from framegate.domain.errors import FramegateError

ECHO_CHARS_MAX = 200

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One thing that is wrong with an input, in the words of fal's errors."""

    loc: Loc
    msg: str
    type: str
    ctx: Mapping[str, Any] = field(default_factory=dict[str, Any])
    input: Any = None

    def sent(self) -> dict[str, Any]:
        """The JSON."""
        said = {"loc": list(self.loc), "msg": self.msg, "type": self.type}
        said["url"] = f"https://docs.fal.ai/errors#{self.type}"
        return said | ({"ctx": dict(self.ctx)} if self.ctx else {}) | {"input": shortened(self.input)}


class Unprocessable(FramegateError):
    """The input breaks a rule of its endpoint."""

    code = "unprocessable"
    status = 422

    def __init__(self, details: Sequence[Detail]) -> None:
        self.details = tuple(details)
        super().__init__(" ".join(detail.msg for detail in self.details))


def refuse(loc: Loc, rule: str, kind: str, value: object, **ctx: object) -> NoReturn:
    """Refuse an input for one rule alone. Raises `Unprocessable`."""
    raise Unprocessable([wrong(loc, rule, kind, value, **ctx)])


def wrong(loc: Loc, rule: str, kind: str, value: object, **ctx: object) -> Detail:
    """One broken rule, and the value that breaks it."""
    return Detail(loc=loc, msg=rule, type=kind, ctx=ctx, input=value)


def said(loc: Loc) -> str:
    """A place as a text names it."""
    return ".".join(str(part) for part in loc[1:])


def shown(value: object) -> str:
    """A client's value, quoted and cut."""
    text = str(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The value with long texts (data URIs) cut: an error echoes what was sent, and need not send it all back."""
    if isinstance(value, str):
        return value if len(value) <= ECHO_CHARS_MAX else f"{value[:ECHO_CHARS_MAX]}…"
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [shortened(item) for item in cast("list[Any]", value)]
    return value
