"""Scanner of JSON as it arrives: rejects a body that costs too much before it is parsed, or even complete.

It only finds texts and brackets, by searches that run in C; whether the JSON is valid is up to the parser.
"""

from collections.abc import Collection

from framegate.api.http.validation import NAME_CHARS_MAX
from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest, TooLarge

JSON_BYTES_MAX = 2**20  # of a body without its data URLs
VALUES_MAX = 4_000  # objects, lists, texts, numbers
QUOTES_MAX = 4 * VALUES_MAX  # two per text, and those inside of texts
TEXT_BYTES_MAX = 2**18  # of a text other than a data URL
KEY_CHARS_MAX = 256
ESCAPE_BYTES = 6  # as in \u0041
KEY_BYTES_MAX = 2 * ESCAPE_BYTES * KEY_CHARS_MAX  # a character outside of the basic plane is two escapes
SMALL_BYTES_MAX = 2**16  # a smaller body is only scanned if it has many brackets or commas
DEPTH_MAX = 32
BRACKETS = b"{}[]"
NOT_BRACKETS = bytes(set(range(256)) - set(BRACKETS))
OPENING, OBJECT, BACKSLASH, COLON, QUOTE = b"{[", *b'{\\:"'
KEY_BEGINS_AFTER = b"{,"


class JsonScan:
    """Scan of one body. `base64_fields` are keys whose value may be as long as a data URL."""

    def __init__(self, base64_fields: Collection[bytes] = ()) -> None:
        self._base64_fields = base64_fields
        self._position = 0  # everything before it was read
        self._text = -1  # where the present text begins; -1 outside of texts
        self._part = 0  # the same after its last escaped quote
        self._previous = 0  # the last character outside of texts that is no space
        self._key = b""
        self._open = bytearray()  # the brackets
        self._bytes = 0  # without data URLs
        self._values = 1
        self._quotes = 0

    def extend(self, body: bytearray) -> None:
        """Read what was added to the body. Raises `TooLarge` and `InvalidRequest`."""
        if len(body) <= SMALL_BYTES_MAX:
            openings = body.count(b"{") + body.count(b"[")
            if openings <= DEPTH_MAX and openings + body.count(b",") < VALUES_MAX:
                return  # within every limit, whatever is in it
        while self._read_structure(body) if self._text < 0 else self._read_text(body):
            if self._quotes > QUOTES_MAX:
                raise invalid_json(f"The body has more than {QUOTES_MAX:,} quotes.")

    def _read_structure(self, body: bytearray) -> bool:
        """Read up to the next text; return whether there is one."""
        start = body.find(QUOTE, self._position)
        stop = len(body) if start < 0 else start
        part = body[self._position : stop]
        self._position = stop
        self._count(len(part))
        self._values += part.count(b",") + part.count(b"[") + part.count(b"{")
        if self._values > VALUES_MAX:
            raise invalid_json(f"The body has more than {VALUES_MAX:,} values.")
        for bracket in part.translate(None, NOT_BRACKETS):
            if bracket in OPENING:
                self._open.append(bracket)
            elif not self._open:
                raise invalid_json("Invalid JSON: a bracket is closed that was not opened.")
            else:
                self._open.pop()
            if len(self._open) > DEPTH_MAX:
                raise invalid_json(f"The body is nested deeper than {DEPTH_MAX} levels.")
        self._previous = (part.rstrip() or bytes([self._previous]))[-1]
        if start < 0:
            return False
        self._quotes += 1
        self._position = self._text = self._part = start + 1
        return True

    def _read_text(self, body: bytearray) -> bool:
        """Read up to the next quote in or after a text; return whether there is one."""
        end = body.find(QUOTE, self._position)
        self._check_length(body, len(body) if end < 0 else end)
        if end < 0:
            self._count_escapes(body, len(body))
            self._position = len(body)
            return False
        self._count_escapes(body, end)
        self._quotes += 1
        self._position = end + 1
        if end > self._part and body[end - 1] == BACKSLASH:
            part = body[self._part : end]
            if (len(part) - len(part.rstrip(b"\\"))) % 2:
                self._part = self._position
                return True
        if not self._may_be_long(body):
            self._count(end - self._text)
        if self._is_key():
            self._key = bytes(body[self._text : end])
        self._previous, self._text = QUOTE, -1
        return True

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > JSON_BYTES_MAX:
            raise TooLarge(f"The JSON body is larger than the maximum of {JSON_BYTES_MAX:,} bytes without data URLs.")

    def _count_escapes(self, body: bytearray, end: int) -> None:
        """Count the escapes of a data URL, which needs none; some encoders escape each slash."""
        if body.find(BACKSLASH, self._position, end) >= 0 and self._may_be_long(body):
            escapes = body.count(b"\\", self._position, end) - body.count(b"\\/", self._position, end)
            self._count(escapes * ESCAPE_BYTES)

    def _check_length(self, body: bytearray, end: int) -> None:
        size = end - self._text
        if self._is_key() and size > KEY_BYTES_MAX:
            name = body[self._text : self._text + NAME_CHARS_MAX].decode(errors="replace")
            raise invalid_json(f"The key `{name}…` is longer than {KEY_CHARS_MAX} characters.")
        if size > TEXT_BYTES_MAX and not self._may_be_long(body):
            raise invalid_json(f"A text other than a data URL is longer than {TEXT_BYTES_MAX:,} bytes.")

    def _is_key(self) -> bool:
        return bool(self._open) and self._open[-1] == OBJECT and self._previous in KEY_BEGINS_AFTER

    def _may_be_long(self, body: bytearray) -> bool:
        if self._is_key():
            return False
        is_data_url = bytes(body[self._text : self._text + 5]).lower() == b"data:"
        return is_data_url or (self._previous == COLON and self._key in self._base64_fields)


def invalid_json(message: str, *, pointer: str = "") -> InvalidRequest:
    """Return the error for a body that is no JSON, or more than is accepted."""
    return InvalidRequest([Problem(code="invalid_json", pointer=pointer, message=message)])
