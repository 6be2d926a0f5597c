"""Streaming multipart upload: the file is passed on as it arrives, neither held in memory nor written twice."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from framegate.api.http.body import chunks
from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # exists for type checkers alone

FIELD = b"file"
PARTS_MAX = 64
PART_HEADERS_MAX = 16
PART_HEADER_BYTES_MAX = 4096  # of one header


async def file_of_form(request: Request, *, bytes_max: int) -> AsyncIterator[bytes]:
    """Yield the file in the field `file`; other fields are skipped.

    Raises `InvalidRequest` for a form that is malformed, truncated, or has no such file or several; `TooLarge`.
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise _invalid_form("its content type has no boundary")
    form = _Form()
    try:
        parser = MultipartParser(
            boundary, form.callbacks(), max_header_count=PART_HEADERS_MAX, max_header_size=PART_HEADER_BYTES_MAX
        )
        async for chunk in chunks(request, bytes_max=bytes_max):
            parser.write(chunk)
            for data in form.pop_data():
                yield data
    except FormParserError as error:
        raise _invalid_form("it is not multipart, or a part has too many or too long headers") from error
    if not form.is_complete:
        raise _invalid_form("it is truncated")
    if form.files != 1:
        raise _invalid_form(f"it must have one file, in the field `file`, not {form.files}")


def _invalid_form(reason: str) -> InvalidRequest:
    message = f"Invalid form: {reason}."
    return InvalidRequest([Problem(code="invalid_form", pointer="", message=message)])


class _Form:
    """Parser callbacks that collect the data of the file."""

    def __init__(self) -> None:
        self.files = 0
        self.is_complete = False
        self._name = b""
        self._value = b""
        self._is_file = False
        self._data: list[bytes] = []
        self._parts = 0

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def pop_data(self) -> list[bytes]:
        data, self._data = self._data, []
        return data

    def _on_part(self) -> None:
        self._is_file = False
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise _invalid_form(f"it has more than {PARTS_MAX} parts")

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        name, value, self._name, self._value = self._name.lower(), self._value, b"", b""
        if name == b"content-disposition" and parse_options_header(value)[1].get(b"name") == FIELD:
            self._is_file = True
            self.files += 1

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._data.append(data[start:end])

    def _on_end(self) -> None:
        self.is_complete = True
