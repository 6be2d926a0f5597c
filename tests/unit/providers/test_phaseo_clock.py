"""Phaseo's list of jobs is compared with the order by Phaseo's own clock."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from framegate.domain.errors import OutcomeUnknown
from framegate.net.answers import Response
from framegate.providers.phaseo.adapter import Phaseo
from support.ordering import make_order

pytestmark = pytest.mark.anyio
SERVICE_NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def account(monkeypatch, *created: timedelta, date: str | None = format_datetime(SERVICE_NOW, usegmt=True)):
    """An account with jobs that are so old by the service's clock."""
    jobs = [{"id": "x", "created_at": (SERVICE_NOW - age).isoformat()} for age in created]

    async def query(*_: Any, **__: Any) -> Response:

        headers = {} if date is None else {"date": date}
        return Response(200, headers, json.dumps({"data": jobs}).encode())

    provider = Phaseo("main", "key-of-the-account")
    monkeypatch.setattr(provider.client, "query", query)
    return provider


@pytest.mark.parametrize("seconds", [1, 240, 3600])
async def test_a_job_that_may_be_the_order_leaves_it_in_doubt_whatever_our_clock_says(monkeypatch, tmp_path, seconds):
    order = make_order(tmp_path, age_seconds=float(seconds))
    with pytest.raises(OutcomeUnknown):
        await account(monkeypatch, timedelta(seconds=seconds - 1)).reconcile(order)


async def test_only_older_jobs_prove_that_the_order_did_not_arrive(monkeypatch, tmp_path):
    order = make_order(tmp_path, age_seconds=240.0)
    assert await account(monkeypatch, timedelta(minutes=10), timedelta(days=9)).reconcile(order) is None


@pytest.mark.parametrize("date", [None, "", "soon", "Mon, 99 Foo 2031 99:99:99 GMT"])
async def test_without_the_services_time_an_order_stays_in_doubt(monkeypatch, tmp_path, date):
    with pytest.raises(OutcomeUnknown):
        await account(monkeypatch, timedelta(days=9), date=date).reconcile(make_order(tmp_path))
