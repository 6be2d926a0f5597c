"""Needs 2, 8 and 16: an order survives the gateway, with its account, and its webhook is delivered."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from standardwebhooks import Webhook

from support.studio import DONE, PENDING, Studio
from support.studio_client import Client, client_of, ordering
from support.webhook_receiver import Receiver, receiving

OLD = """
[[accounts]]
provider = "openrouter"
name = "studio"
api_key = "sk-of-the-studio"
base_url = "{url}/api/v1"
"""
# Another account stands before it by now, and it is called otherwise itself.
NEW = """
[[accounts]]
provider = "openrouter"
name = "newcomer"
api_key = "sk-of-the-newcomer"
base_url = "{url}/api/v1"
""" + OLD.replace('"studio"', '"renamed"')


@dataclass
class Killed:
    """Jobs that were under way when the gateway was killed, and the gateway that took up its data folder."""

    client: Client
    running: str
    half_sent: str
    finished: dict[str, Any]
    receiver: Receiver


@pytest.fixture(scope="module")
def killed(service: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    settings = {"allow_private_addresses": True}  # the receiver of webhooks is on this machine
    rendering = service.plan("take-running", looks=[PENDING])
    service.plan("take-half-sent", order="never")
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving(503))
        gateway = stack.enter_context(ordering(folder, OLD.format(url=service.url), **settings))
        before = stack.enter_context(client_of(gateway, "sk-test"))
        running = before.placed("take-running")
        finished = before.made("take-finished", callback_url=receiver.url)
        assert before.tried(finished)["status"] == 503
        half_sent = before.placed("take-half-sent")
        service.until("take-running")
        service.until("take-half-sent")
        gateway.process.kill()
        gateway.process.wait()

        rendering.looks[:] = [DONE]
        gateway = stack.enter_context(ordering(folder, NEW.format(url=service.url), **settings))
        client = stack.enter_context(client_of(gateway, "sk-test"))
        yield Killed(client, running, half_sent, finished, receiver)


def test_02_a_paid_job_goes_on_after_the_gateway_was_killed(killed: Killed, service: Studio):
    job = killed.client.job(killed.running, wait=60)

    assert job["status"] == "completed", job
    assert killed.client.content(job).status_code == 200
    assert len(service.taken("take-running")) == 1
    bill = killed.client.bill(job)
    assert (bill["state"], bill["reserved_micro_usd"]) == ("settled", 50_000)


def test_02_an_order_that_was_on_its_way_as_the_gateway_was_killed_is_not_sent_again(killed: Killed, service: Studio):
    job = killed.client.job(killed.half_sent, wait=60)

    assert (job["status"], job["error_code"]) == ("failed", "submit_unsure")
    assert len(service.taken("take-half-sent")) == 1
    assert killed.client.bill(job)["state"] == "held"


def test_08_a_job_is_looked_at_with_the_account_that_ordered_it(killed: Killed, service: Studio):
    assert killed.client.job(killed.running, wait=60)["status"] == "completed"
    (order,) = service.taken("take-running")
    killed.client.made("take-new")
    (new,) = service.taken("take-new")

    assert {order.key, *order.looked_by} == {"sk-of-the-studio"}
    assert {new.key, *new.looked_by} == {"sk-of-the-newcomer"}, "what is ordered now goes to the first account"


def test_16_a_webhook_is_signed_tried_again_and_is_one_event(killed: Killed):
    secret = killed.client.http.get("/webhooks/secret").json()["secret"]
    first, second = killed.receiver.wait(2)
    told = Webhook(secret).verify(second.raw.decode(), second.headers)

    assert (first.id, first.raw) == (second.id, second.raw), "so the receiver knows it again"
    assert (told["type"], told["data"]["id"]) == ("video.generation.completed", killed.finished["id"])


def test_16_whoever_asks_is_told_the_end_though_no_webhook_arrived(killed: Killed):
    job = killed.client.job(killed.finished["id"])

    assert job["status"] == "completed"
