"""Times as Phaseo writes them."""

import datetime as dt


def iso(at: float | None) -> str | None:
    """A time as Phaseo writes it."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
