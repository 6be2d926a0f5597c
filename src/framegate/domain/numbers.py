"""Numbers from outside: finite, not negative, and bounded, or not read at all."""

from decimal import Decimal, InvalidOperation

NUMBER_CHARS_MAX = 64


def bounded_number(value: object, maximum: float | Decimal) -> Decimal | None:
    """A JSON number or its text, from 0 to `maximum`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, int) and value.bit_length() > NUMBER_CHARS_MAX:  # its text could be longer than Python allows
        return None
    text = str(value).strip()
    if len(text) > NUMBER_CHARS_MAX:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= maximum else None
