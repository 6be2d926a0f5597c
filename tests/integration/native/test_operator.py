"""The operator's view over the API: facts about the gateway, and the jobs, keys and money of all owners."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.api.auth import CACHE_SECONDS
from framegate.domain import Estimate, Fault, Job, Request, Scope, State, Target
from framegate.domain.keys import new_key
from framegate.domain.ledger import ledger_change
from support.opened import call, parts_of

COST = 320_000
ADMIN_ROUTES = [
    ("GET", "/admin/videos"),
    ("GET", "/admin/videos/x"),
    ("POST", "/admin/videos/x/settle"),
    ("GET", "/admin/spend"),
    ("GET", "/admin/keys"),
    ("POST", "/admin/keys"),
    ("POST", "/admin/keys/x/budget"),
    ("POST", "/admin/keys/x/revoke"),
]


class Gateway:
    """A gateway with keys, and jobs of two owners."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.store = parts_of(client).store
        self.admin = self.key("ops", scopes=(Scope.ADMIN,))

    def key(self, owner: str, **fields: Any) -> str:
        text, key = new_key(now=1.0, owner=owner, **fields)
        call(self.client, self.store.keys.add, key)
        parts_of(self.client).keys._cache.needed_at = -CACHE_SECONDS * 1e9
        return text

    def ask(self, key: str, method: str, path: str, **how: Any) -> Any:
        return self.client.request(method, path, headers={"authorization": f"Bearer {key}"}, **how)

    def job(self, number: int, owner: str, *, unsure: bool = False) -> str:
        """A job that failed; its cost is held if the outcome of its order is unknown."""
        code = "submit_unsure" if unsure else "provider_refused"
        job = Job(
            id=f"0190a000-0000-7000-8000-{number:012x}",
            owner=owner,
            dialect="native",
            request=Request(model="framegate/animatic", prompt="a cat", duration=1, resolution="360p"),
            model="framegate/animatic",
            provider="fal",
            account="main",
            target=Target(width=640, height=360, fps=24, duration=1, audio=False, seed=None),
            created_at=1_795_219_200.0,
            updated_at=1_795_219_200.0,
            deadline_at=1_795_219_260.0,
            finished_at=1_795_219_230.0,
            state=State.FAILED,
            fault=Fault(code=code, message="The connection broke.", unsure=unsure),
            estimate=Estimate(micro_usd=COST, basis="4 s x $0.08/s"),
        )

        async def put() -> Job:
            return await self.store.insert(job, ledger_change=ledger_change(None, job, allow_unpriced=False))

        return call(self.client, put).id


@pytest.fixture
def gateway(open_gateway: Callable[..., TestClient]) -> Gateway:
    return Gateway(open_gateway())


def test_a_gateway_says_whether_it_is_a_sandbox(open_gateway: Callable[..., TestClient]):
    assert open_gateway().get("/gateway").json()["sandbox"] is False


def test_a_sandbox_says_so(open_gateway: Callable[..., TestClient]):
    assert open_gateway(sandbox=True).get("/gateway").json()["sandbox"] is True


def test_every_route_of_the_operator_needs_the_scope_admin_and_no_other_route_accepts_it(gateway: Gateway):
    described = gateway.client.get("/openapi.json").json()["paths"]
    known = {
        (method, path.replace("{job_id}", "x").replace("{key_id}", "x"))
        for method, path in ((method.upper(), path) for path, operations in described.items() for method in operations)
        if path.startswith("/admin/")
    }
    assert known == set(ADMIN_ROUTES)
    user = gateway.key("ops")
    for method, path in ADMIN_ROUTES:
        answer = gateway.ask(user, method, path, **({"json": {}} if method == "POST" else {}))
        assert (answer.status_code, answer.json()["error"]["metadata"]["error_type"]) == (403, "scope_missing")
        assert gateway.client.request(method, path).status_code == 401
    assert gateway.ask(gateway.admin, "GET", "/videos").status_code == 403


def test_the_operator_lists_the_jobs_of_all_owners_with_their_bills(gateway: Gateway):
    ours, theirs, failed = gateway.job(1, "ops"), gateway.job(2, "acme", unsure=True), gateway.job(3, "acme")

    def listed(query: str = "") -> list[tuple[str, str]]:
        answer = gateway.ask(gateway.admin, "GET", f"/admin/videos{query}").json()
        return [(row["id"], row["owner"]) for row in answer["data"]]

    assert listed() == [(failed, "acme"), (theirs, "acme"), (ours, "ops")]
    assert listed("?owner=acme") == [(failed, "acme"), (theirs, "acme")]
    assert listed("?held=true") == [(theirs, "acme")]
    assert listed("?held=true&owner=ops") == listed("?status=completed") == []
    assert listed(f"?limit=1&after={failed}") == [(theirs, "acme")]
    bill = gateway.ask(gateway.admin, "GET", f"/admin/videos/{theirs}").json()["bill"]
    assert (bill["state"], bill["reserved_micro_usd"], bill["unsure"]) == ("held", COST, True)
    assert gateway.ask(gateway.key("acme"), "GET", "/videos?held=true").json()["data"][0]["id"] == theirs
    assert "owner" not in gateway.ask(gateway.key("acme"), "GET", "/videos").json()["data"][0]


def test_the_operator_settles_a_held_job_of_any_owner_once(gateway: Gateway):
    held, failed = gateway.job(1, "acme", unsure=True), gateway.job(2, "acme")
    path = f"/admin/videos/{held}/settle"

    for wrong in ({}, {"cost_micro_usd": -1}, {"cost_micro_usd": 10**16}, {"cost_micro_usd": 1.5}, {"cost_usd": 1}):
        assert gateway.ask(gateway.admin, "POST", path, json=wrong).status_code == 400
    settled = gateway.ask(gateway.admin, "POST", path, json={"cost_micro_usd": 7}).json()
    assert (settled["state"], settled["settled_micro_usd"]) == ("settled", 7)
    assert gateway.ask(gateway.admin, "POST", path, json={"cost_micro_usd": 7}).status_code == 409
    again = gateway.ask(gateway.admin, "POST", f"/admin/videos/{failed}/settle", json={"cost_micro_usd": 0})
    assert (again.status_code, again.json()["error"]["metadata"]["error_type"]) == (409, "not_held")
    assert gateway.ask(gateway.admin, "POST", "/admin/videos/x/settle", json={"cost_micro_usd": 0}).status_code == 404
    spent = gateway.ask(gateway.admin, "GET", "/admin/spend?by=day&owner=acme").json()["total"]
    assert (spent["settled_micro_usd"], spent["held_micro_usd"], spent["jobs"]) == (7, 0, 2)


def test_a_key_is_created_used_limited_and_revoked_over_the_api_at_once(gateway: Gateway):
    wanted = {"owner": "acme", "name": "web", "scopes": ["read"], "lifetime_seconds": 60, "requests_per_minute": 5}
    created = gateway.ask(gateway.admin, "POST", "/admin/keys", json=wanted)
    key = created.json()

    assert (created.status_code, created.headers["cache-control"]) == (201, "no-store")
    assert (key["owner"], key["scopes"], key["state"]) == ("acme", ["read"], "works")
    assert key["expires_at"] - key["created_at"] == 60
    assert gateway.ask(key["key"], "GET", "/videos").status_code == 200
    limited = gateway.ask(
        gateway.admin, "POST", f"/admin/keys/{key['id']}/budget", json={"budget_micro_usd": 5, "budget_period": "day"}
    ).json()
    assert (limited["budget_micro_usd"], limited["budget_period"], "key" in limited) == (5, "day", False)
    assert "budget_period" not in gateway.ask(gateway.admin, "POST", f"/admin/keys/{key['id']}/budget", json={}).json()
    listed = gateway.ask(gateway.admin, "GET", "/admin/keys")
    assert key["id"] in [row["id"] for row in listed.json()["data"]]
    assert key["key"].rpartition("_")[2] not in listed.text
    assert gateway.ask(gateway.admin, "POST", f"/admin/keys/{key['id']}/revoke").json()["state"] == "revoked"
    assert gateway.ask(key["key"], "GET", "/videos").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"owner": ""},
        {"owner": "-"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"lifetime_seconds": 0},
        {"requests_per_minute": "5"},
        {"budget_period": "day"},
        {"budget_micro_usd": 10**16},
        {"labell": "x"},
    ],
)
def test_a_key_that_cannot_be_is_refused_with_its_field(gateway: Gateway, body: dict[str, Any]):
    answer = gateway.ask(gateway.admin, "POST", "/admin/keys", json=body)

    [problem] = answer.json()["error"]["metadata"]["problems"]
    assert (answer.status_code, problem["pointer"].split("/")[1]) == (400, next(iter(body)))


def test_the_first_key_of_an_open_gateway_is_needed_at_once(open_gateway: Callable[..., TestClient]):
    client = open_gateway()
    assert client.get("/videos").status_code == 200
    key = client.post("/admin/keys", json={}).json()["key"]

    assert client.get("/videos").status_code == 401
    assert client.get("/videos", headers={"authorization": f"Bearer {key}"}).status_code == 200


def test_a_job_that_has_ended_is_run_again_as_a_new_job_with_the_same_request(gateway: Gateway):
    user = gateway.key("acme")
    failed, unsure, other = gateway.job(1, "acme"), gateway.job(2, "acme", unsure=True), gateway.job(3, "ops")
    created = gateway.ask(user, "POST", f"/videos/{failed}/rerun", json={})
    rerun = created.json()

    assert (created.status_code, rerun["prompt"], rerun["metadata"]) == (202, "a cat", {"rerun_of": failed})
    assert rerun["id"] != failed
    ended = gateway.ask(user, "GET", f"/videos/{rerun['id']}?wait=60").json()
    again = gateway.ask(user, "POST", f"/videos/{ended['id']}/rerun").json()
    assert (ended["status"], again["metadata"]) == ("completed", {"rerun_of": ended["id"]})
    refused = gateway.ask(user, "POST", f"/videos/{unsure}/rerun")
    assert (refused.status_code, refused.json()["error"]["metadata"]["error_type"]) == (409, "rerun_unsure")
    assert gateway.ask(user, "POST", f"/videos/{other}/rerun").status_code == 404


def test_a_rerun_that_is_sent_twice_with_one_key_is_one_job(gateway: Gateway):
    user, failed, other = gateway.key("acme"), gateway.job(1, "acme"), gateway.job(2, "acme")

    def rerun(job: str, key: str) -> Any:
        headers = {"authorization": f"Bearer {user}", "idempotency-key": key}
        return gateway.client.post(f"/videos/{job}/rerun", headers=headers)

    first = rerun(failed, "k")
    assert rerun(failed, "k").json()["id"] == first.json()["id"]
    assert rerun(failed, "l").json()["id"] != first.json()["id"]
    assert rerun(other, "k").status_code == 409


def test_the_references_of_a_job_are_listed_for_its_owner(gateway: Gateway):
    user, job = gateway.key("acme"), gateway.job(1, "acme")
    assert gateway.ask(user, "GET", f"/videos/{job}/references").json() == {"data": []}
    assert gateway.ask(gateway.key("ops"), "GET", f"/videos/{job}/references").status_code == 404
    frame = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "name": "hero"}
    body = {"model": "framegate/animatic", "prompt": "@hero", "duration": 1, "input_references": [frame]}
    created = gateway.ask(user, "POST", "/videos", json=body).json()

    [reference] = gateway.ask(user, "GET", f"/videos/{created['id']}/references").json()["data"]
    assert reference == {"role": "reference", "kind": "image", "name": "hero", "url": "https://example.com/a.png"}
