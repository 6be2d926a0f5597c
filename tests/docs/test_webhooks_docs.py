"""Webhooks page: its examples verify what the gateway sends, and its schedule is that of the code."""

import time
from typing import Any

import pytest

from framegate.api.dialects.native.webhooks import signature_headers
from framegate.jobs.webhooks.dialect import SCHEDULE_SECONDS
from framegate.jobs.webhooks.signing import owner_secret, standard_headers
from support.pages import blocks, page

PAGE = page("operations/webhooks.md")
BLOCKS = blocks(PAGE, "python")
SECRET = owner_secret(b"m" * 32, "acme")
RAW = b'{"type":"video.generation.completed"}'


def sent(at: int) -> dict[str, str]:
    headers = standard_headers("0190-id", at, RAW, SECRET) | signature_headers("job", "completed", at, RAW, SECRET)
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_examples_accept_what_the_gateway_sends_and_nothing_else(block: str):
    names: dict[str, Any] = {}
    exec(compile(block, "webhooks.md", "exec"), names)
    now = int(time.time())

    assert names["receive"](SECRET, sent(now), RAW) == {"type": "video.generation.completed"}
    wrong = ((SECRET, sent(now), RAW + b" "), (SECRET, sent(now - 400), RAW), (owner_secret(b"x", "y"), sent(now), RAW))
    for secret, headers, body in wrong:
        with pytest.raises(Exception, match=r".") as caught:
            names["receive"](secret, headers, body)
        assert type(caught.value).__name__ in ("ValueError", "WebhookVerificationError")


def test_the_page_names_the_schedule():
    assert SCHEDULE_SECONDS == (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
    assert "5 seconds, 5 minutes, 30 minutes, 2, 5, 10 and 10 hours" in " ".join(PAGE.split())
