"""Money over the API: budgets in every dialect, spending of one's own, bills, and orders made again by a person."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.api.auth import CACHE_SECONDS
from framegate.domain import BudgetPeriod, Estimate, Fault, Job, Request, Scope, State, Target
from framegate.domain.keys import new_key
from framegate.domain.ledger import ledger_change
from support.opened import call, parts_of

FAST = "google/veo-3.1-fast"
BODY = {"model": FAST, "prompt": "a cat", "duration": 4, "resolution": "720p", "generate_audio": False}
COST = 320_000
UNKNOWN = "0190a000-0000-7000-8000-00000000ffff"


class Sandbox:
    """A sandbox with keys."""

    def __init__(self, gateway: TestClient) -> None:
        self.gateway = gateway
        self.store = parts_of(gateway).store

    def key(self, owner: str, budget: int | None = None, **fields: Any) -> str:
        period = None if budget is None else BudgetPeriod.MONTH
        text, key = new_key(now=1.0, owner=owner, budget_micro_usd=budget, budget_period=period, **fields)
        call(self.gateway, self.store.keys.add, key)
        parts_of(self.gateway).keys._cache.needed_at = -CACHE_SECONDS * 1e9
        return text

    def ask(self, key: str, method: str, path: str, **how: Any) -> Any:
        return self.gateway.request(method, path, headers={"authorization": f"Bearer {key}"}, **how)

    def unsure(self, owner: str, number: int = 1) -> Job:
        """A job that ended so that nobody knows what became of its order."""
        job = Job(
            id=f"0190a000-0000-7000-8000-{number:012x}",
            owner=owner,
            dialect="native",
            request=Request(model=FAST, prompt="a cat", duration=4, resolution="720p", generate_audio=False),
            model=FAST,
            provider="fal",
            account="main",
            target=Target(width=1280, height=720, fps=24, duration=4, audio=False, seed=None),
            created_at=1_795_219_200.0,
            updated_at=1_795_219_200.0,
            deadline_at=1_795_219_260.0,
            finished_at=1_795_219_230.0,
            state=State.FAILED,
            fault=Fault(code="submit_unsure", message="The connection broke.", unsure=True),
            estimate=Estimate(micro_usd=COST, basis="4 s x $0.08/s"),
        )

        async def put() -> Job:
            return await self.store.insert(job, ledger_change=ledger_change(None, job, allow_unpriced=False))

        return call(self.gateway, put)

    def end(self, key: str, job: str) -> dict[str, Any]:
        return self.ask(key, "GET", f"/videos/{job}?wait=60").json()


@pytest.fixture
def sandbox(open_gateway: Callable[..., TestClient]) -> Sandbox:
    return Sandbox(open_gateway(sandbox=True))


def test_a_key_over_its_budget_is_answered_402_with_the_numbers_whatever_api_it_speaks(sandbox: Sandbox):
    key = sandbox.key("acme", budget=COST - 1)
    native = sandbox.ask(key, "POST", "/videos", json=BODY)
    phaseo = sandbox.ask(key, "POST", "../../phaseo/v1/videos", json={"model": FAST, "prompt": "a cat", "duration": 4})

    assert native.status_code == 402
    assert native.json()["error"] == {
        "code": 402,
        "message": "The job is estimated at $0.32. Of the key's budget of $0.319999 a month, $0.319999 is left: "
        "$0.00 is spent, reserved or held. Request a cheaper video or raise the budget.",
        "metadata": {"error_type": "budget_exceeded"},
    }
    assert (phaseo.status_code, phaseo.json()["error"]) == (402, "insufficient_funds")
    assert sandbox.ask(key, "GET", "/videos").json()["data"] == []


def test_the_check_tells_that_the_budget_does_not_reach_and_reserves_nothing(sandbox: Sandbox):
    key = sandbox.key("acme", budget=COST)
    free = sandbox.ask(key, "POST", "/videos/check", json=BODY).json()
    sandbox.ask(key, "POST", "/videos", json=BODY)
    over = sandbox.ask(key, "POST", "/videos/check", json=BODY).json()

    assert (free["ok"], free["problems"], free["estimate"]["usd"]) == (True, [], 0.32)
    assert (over["ok"], "estimate" in over) == (False, False)
    [problem] = over["problems"]
    assert problem["code"] == "budget_exceeded"
    assert "$0.00 is left: $0.32 is spent, reserved or held" in problem["message"]


def test_a_token_made_of_a_key_spends_that_keys_budget(sandbox: Sandbox):
    key = sandbox.key("acme", budget=1)
    queue = sandbox.gateway.base_url.copy_with(path="/fal")
    token = sandbox.gateway.post(
        f"{queue}/rest/tokens/", json={"token_expiration": 60}, headers={"authorization": f"Key {key}"}
    ).json()
    answer = sandbox.gateway.post(
        f"{queue}/queue/fal-ai/veo3.1/fast", json={"prompt": "a cat"}, headers={"authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 402, answer.text
    assert sandbox.ask(key, "GET", "/spend").json()["data"] == []


def test_a_job_in_the_sandbox_is_reserved_at_its_estimate_and_settled_at_nothing(sandbox: Sandbox):
    key = sandbox.key("acme", budget=COST)
    job = sandbox.ask(key, "POST", "/videos", json=BODY).json()["id"]
    over = sandbox.ask(key, "POST", "/videos", json=BODY)
    assert sandbox.end(key, job)["status"] == "completed"
    bill = sandbox.ask(key, "GET", f"/videos/{job}/bill").json()
    again = sandbox.ask(key, "POST", "/videos", json=BODY)
    sandbox.ask(key, "POST", f"/videos/{again.json()['id']}/cancel")

    assert (over.status_code, again.status_code) == (402, 202)
    assert {name: bill[name] for name in ("state", "reserved_micro_usd", "settled_micro_usd", "reported")} == {
        "state": "settled",
        "reserved_micro_usd": COST,
        "settled_micro_usd": 0,
        "reported": True,
    }
    assert (bill["key"], bill["unsure"], bill["provider"]) == (key.split("_")[1], False, "sandbox")


def test_everybody_is_told_of_their_own_spending_alone(sandbox: Sandbox):
    mine, theirs = sandbox.key("acme"), sandbox.key("other")
    sandbox.unsure("acme")
    told = sandbox.ask(mine, "GET", "/spend", params={"by": "day", "since": "2026-11-01"}).json()
    row = {"jobs": 1, "settled_micro_usd": 0, "unreported_micro_usd": 0, "reserved_micro_usd": 0}
    row |= {"held_micro_usd": COST, "unpriced_jobs": 0, "void_jobs": 0}

    assert told == {"by": "day", "since": "2026-11-01", "data": [{"name": "2026-11-21", **row}], "total": row}
    assert sandbox.ask(theirs, "GET", "/spend").json()["data"] == []
    assert sandbox.ask(mine, "GET", "/spend", params={"until": "2026-11-20"}).json()["data"] == []
    assert [one.get("name") for one in sandbox.ask(mine, "GET", "/spend", params={"by": "key"}).json()["data"]] == [
        None
    ]


@pytest.mark.parametrize("params", [{"by": "owner"}, {"since": "2026-02-30"}, {"until": "20261101"}, {"since": ""}])
def test_what_is_no_day_or_no_group_is_refused_in_a_sentence(sandbox: Sandbox, params: dict[str, str]):
    answer = sandbox.ask(sandbox.key("acme"), "GET", "/spend", params=params)

    assert answer.status_code == 400
    assert f"`{next(iter(params))}`" in answer.json()["error"]["message"]


def test_a_person_who_confirms_has_an_unsure_job_ordered_again_once(sandbox: Sandbox):
    key, reader = sandbox.key("acme"), sandbox.key("acme", scopes=(Scope.READ,))
    unsure = sandbox.unsure("acme")
    path = f"/videos/{unsure.id}/retry"
    for body in ({}, {"confirm": False}, {"confirm": "yes"}, {"confirm": True, "more": 1}):
        assert sandbox.ask(key, "POST", path, json=body).status_code == 400
    assert "may cost twice" in sandbox.ask(key, "POST", path, json={}).json()["error"]["message"]
    assert sandbox.ask(reader, "POST", path, json={"confirm": True}).status_code == 403
    assert sandbox.ask(key, "GET", "/videos").json()["data"][0]["id"] == unsure.id

    first, second = (sandbox.ask(key, "POST", path, json={"confirm": True}) for _ in range(2))
    assert (first.status_code, first.json()["metadata"]) == (202, {"retry_of": unsure.id})
    assert second.json()["id"] == first.json()["id"]
    assert sandbox.ask(key, "GET", f"/videos/{unsure.id}/bill").json()["state"] == "held"
    sandbox.ask(key, "POST", path, json={"confirm": True, "void_first": True})
    assert sandbox.ask(key, "GET", f"/videos/{unsure.id}/bill").json()["state"] == "void"
    assert sandbox.end(key, first.json()["id"])["status"] == "completed"
    done = sandbox.ask(key, "POST", f"/videos/{first.json()['id']}/retry", json={"confirm": True})
    assert (done.status_code, done.json()["error"]["metadata"]["error_type"]) == (409, "retry_not_unsure")


def test_a_job_from_before_there_was_a_ledger_has_no_bill_and_ends_all_the_same(sandbox: Sandbox):
    key = sandbox.key("acme")
    job = sandbox.unsure("acme")
    older = replace(job, id=UNKNOWN)

    async def put() -> Job:
        return await sandbox.store.insert(older)

    call(sandbox.gateway, put)

    assert sandbox.ask(key, "GET", f"/videos/{UNKNOWN}/bill").status_code == 404
    assert sandbox.ask(key, "GET", f"/videos/{UNKNOWN}").json()["status"] == "failed"
