"""An outage is two lines of the log, whatever fails and works in between."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.telemetry.outage import OutageLog

calls = st.lists(st.tuples(st.sampled_from(["read", "write"]), st.booleans()), max_size=60)


@given(calls=calls)
def test_a_line_is_logged_when_the_first_use_fails_and_when_the_last_one_works_again(calls: list[tuple[str, bool]]):
    log, lines, failing, expected = OutageLog("Database", lambda: 1.0), list[str](), set[str](), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.levelname)
    logger = logging.getLogger("framegate.telemetry.outage")
    logger.addHandler(handler)
    try:
        for use, works in calls:
            before = bool(failing)
            (failing.discard if works else failing.add)(use)
            (log.worked(use=use) if works else log.failed("away", use=use))
            if bool(failing) != before:
                expected.append("ERROR" if failing else "WARNING")
    finally:
        logger.removeHandler(handler)

    assert lines == expected


def test_the_line_at_the_end_says_how_long_and_how_often(caplog: pytest.LogCaptureFixture):
    times = iter([10.0, 52.0])
    log = OutageLog("Data folder", lambda: next(times))
    log.failed("No space left on device")
    log.failed("No space left on device")
    log.worked()

    assert caplog.messages == [
        "Data folder unavailable; work waits and continues by itself. No space left on device",
        "Data folder available again after 42 s; failed calls: 2.",
    ]
