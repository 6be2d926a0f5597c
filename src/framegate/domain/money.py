"""Money: US dollars as decimals, amounts as whole millionths of a dollar, and their text."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

MICRO_USD = 1_000_000  # millionths in a dollar
DECIMALS_MIN = 2


def micro_usd(usd: Decimal, *, rounding: str = ROUND_HALF_EVEN) -> int:
    """Dollars as whole millionths."""
    return int((usd * MICRO_USD).to_integral_value(rounding))


def from_micro_usd(amount: int) -> Decimal:
    """Millionths as dollars."""
    return Decimal(amount) / MICRO_USD


def parse_usd(value: object) -> Decimal | None:
    """Dollars from a JSON number or its text; None for anything else, and for a negative or infinite amount."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        usd = Decimal(str(value))
    except InvalidOperation:
        return None
    return usd if usd.is_finite() and usd >= 0 else None


def format_usd(usd: Decimal) -> str:
    """An amount with two decimals, or with as many as it has: `0.40`, `0.0225`."""
    exact = usd.normalize()
    return f"{exact:f}" if int(exact.as_tuple().exponent) < -DECIMALS_MIN else f"{exact:.{DECIMALS_MIN}f}"
