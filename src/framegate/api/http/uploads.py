"""The file of a multipart form, handed on as it arrives: neither held in memory nor written twice."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from framegate.api.http.body import pieces
from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # exists for type checkers alone

FIELD = b"file"


async def file_of_form(request: Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """The file in the field `file`, piece by piece; other fields are read past.

    Raises `InvalidRequest` for a form that is broken, ends too early, or has no such file or several; `TooLarge`.
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise _unreadable("its content type names no boundary")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in pieces(request, bytes_max=bytes_max):
            parser.write(piece)
            for data in form.taken():
                yield data
    except FormParserError as error:
        raise _unreadable("it is not multipart") from error
    if not form.whole:
        raise _unreadable("it ends too early")
    if form.files != 1:
        raise _unreadable(f"it must have one file, in the field `file`, and has {form.files}")


def _unreadable(why: str) -> InvalidRequest:
    message = f"The form cannot be read: {why}."
    return InvalidRequest([Problem(code="invalid_form", pointer="", message=message)])


class _Form:
    """Listens to the parser, and keeps what belongs to the file until it is taken."""

    def __init__(self) -> None:
        self.files = 0
        self.whole = False
        self._name = b""
        self._value = b""
        self._wanted = False
        self._data: list[bytes] = []

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def taken(self) -> list[bytes]:
        taken, self._data = self._data, []
        return taken

    def _on_part(self) -> None:
        self._wanted = False

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        name, value, self._name, self._value = self._name.lower(), self._value, b"", b""
        if name == b"content-disposition" and parse_options_header(value)[1].get(b"name") == FIELD:
            self._wanted = True
            self.files += 1

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._data.append(data[start:end])

    def _on_end(self) -> None:
        self.whole = True
