"""Money: US dollars as decimals, amounts as whole millionths of a dollar, and their text."""

from decimal import ROUND_HALF_EVEN, Decimal

from framegate.domain.numbers import bounded_number

MICRO_USD = 1_000_000  # millionths in a dollar
DECIMALS_MIN = 2
USD_MAX = 10**9  # largest amount that is read at all
JOB_COST_USD_MAX = 10_000  # largest cost of one job that is believed
COST_NOT_BELIEVED = -1  # in place of a cost: the provider reported one that cannot be right


def micro_usd(usd: Decimal, *, rounding: str = ROUND_HALF_EVEN) -> int:
    """Dollars as whole millionths."""
    return int((usd * MICRO_USD).to_integral_value(rounding))


def from_micro_usd(amount: int) -> Decimal:
    """Millionths as dollars."""
    return Decimal(amount) / MICRO_USD


def parse_usd(value: object, *, maximum: int = USD_MAX) -> Decimal | None:
    """Dollars from a JSON number or its text, at most `maximum`; None for anything else, also a negative amount."""
    return bounded_number(value, maximum)


def reported_cost(usd: object) -> int | None:
    """A provider's cost of one job in millionths, from dollars as a number or its text.

    None if it reports none, `COST_NOT_BELIEVED` if it is not from 0 to 10,000 dollars.
    """
    if usd is None or isinstance(usd, bool | dict | list) or usd == "":
        return None
    amount = parse_usd(usd, maximum=JOB_COST_USD_MAX)
    return COST_NOT_BELIEVED if amount is None else micro_usd(amount)


def is_believable(cost_micro_usd: int) -> bool:
    """Whether one job can have cost this much."""
    return 0 <= cost_micro_usd <= JOB_COST_USD_MAX * MICRO_USD


def format_usd(usd: Decimal) -> str:
    """An amount with two decimals, or with as many as it has: `0.40`, `0.0225`."""
    exact = usd.normalize()
    return f"{exact:f}" if int(exact.as_tuple().exponent) < -DECIMALS_MIN else f"{exact:.{DECIMALS_MIN}f}"
