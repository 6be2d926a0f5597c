"""A number from outside is finite, not negative and bounded, or not read."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain.money import (
    COST_NOT_BELIEVED,
    JOB_COST_USD_MAX,
    MICRO_USD,
    format_usd,
    from_micro_usd,
    reported_cost,
)
from framegate.domain.numbers import bounded_number

ANYTHING = st.integers() | st.floats() | st.decimals() | st.text() | st.booleans() | st.none()
HUGE = ["1e400", "1e1000000", "1e-1000000", "9" * 4000, "0." + "3" * 4000, 10**400, 10**6000, -(10**6000)]


@given(ANYTHING | st.sampled_from(HUGE))
def test_a_number_is_within_its_bounds_or_not_read(value: Any):
    number = bounded_number(value, 100)
    assert number is None or 0 <= number <= 100


@given(ANYTHING | st.sampled_from(HUGE))
def test_a_cost_can_be_written_and_counted_or_is_not_believed(value: Any):
    cost = reported_cost(value)
    if cost is not None and cost != COST_NOT_BELIEVED:
        assert 0 <= cost <= JOB_COST_USD_MAX * MICRO_USD
        assert Decimal(format_usd(from_micro_usd(cost))) == from_micro_usd(cost)


@pytest.mark.parametrize(("value", "expected"), [("7", 7), (" 7.5 ", Decimal("7.5")), (0, 0), (0.1, Decimal("0.1"))])
def test_a_number_may_be_written_as_text(value: object, expected: Any):
    assert bounded_number(value, 100) == expected
