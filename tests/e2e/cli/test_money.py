"""Budgets, spending and retries from the command line, on a real data folder and gateway."""

import asyncio
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framegate.app.embedded import embedded_gateway
from framegate.config.loading import load
from framegate.domain import Estimate, Fault, Job, Request, State, Target
from framegate.domain.ledger import ledger_change
from framegate.store import Store
from framegate.store.engine import sqlite_url
from support.fake_gateway import CommandResult, Plan
from support.paths import PHOTOS
from support.served_gateway import served_here

Run = Callable[..., CommandResult]
UNSURE = "0190a000-0000-7000-8000-000000000001"


class Terminal(io.StringIO):
    """Standard input of a person at a terminal."""

    def isatty(self) -> bool:
        return True


def store_jobs(*jobs: Job) -> None:
    """Store jobs in the data folder as a gateway would have left them."""
    settings = load()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def insert() -> None:
        async with Store(sqlite_url(settings.data_dir)) as store:
            for job in jobs:
                await store.insert(job, ledger_change=ledger_change(None, job, allow_unpriced=False))

    asyncio.run(insert())


def ended(number: int = 1, *, owner: str = "default", state: State = State.FAILED, **fields: Any) -> Job:
    common: dict[str, Any] = {
        "id": f"0190a000-0000-7000-8000-{number:012x}",
        "owner": owner,
        "dialect": "native",
        "request": Request(model="framegate/animatic", prompt="a cat", duration=1, resolution="360p"),
        "model": "framegate/animatic",
        "provider": "animatic",
        "target": Target(width=640, height=360, fps=24, duration=1, audio=False, seed=None),
        "created_at": 1_795_219_200.0,
        "updated_at": 1_795_219_200.0,
        "deadline_at": 1_795_219_260.0,
        "finished_at": 1_795_219_230.0,
        "estimate": Estimate(micro_usd=500_000, basis="b"),
    }
    return Job(**{**common, **fields}, state=state)


def unsure(**fields: Any) -> Job:
    lost = Fault(code="submit_unsure", message="The connection broke.", unsure=True)
    return ended(**{"fault": lost, **fields})


def test_a_key_is_created_with_a_budget_that_can_be_changed(run: Run):
    key_id = run("keys", "create", "--budget", "20", "--budget-period", "month").out.split("_")[1]
    (key,) = json.loads(run("keys", "list", "--json").out)["data"]
    table = run("keys", "list").out
    other = run("keys", "budget", key_id, "--budget", "0.5")
    none = run("keys", "budget", key_id)

    assert (key["budget_micro_usd"], key["budget_period"]) == (20_000_000, "month")
    assert "  $20.00 a month  " in table
    assert other.out == f"{key_id} $0.50 in total\n"
    assert none.out == f"{key_id} -\n"
    assert json.loads(run("keys", "list", "--json").out)["data"][0]["budget_micro_usd"] is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "--budget", "much"), 2),
        (("create", "--budget", "-1"), 2),
        (("create", "--budget", "1.1234567"), 2),
        (("create", "--budget", "5", "--budget-period", "year"), 2),
        (("create", "--budget-period", "day"), 3),
        (("create", "--budget", "999999999999"), 3),
        (("budget", "nobody", "--budget", "5"), 4),
    ],
)
def test_an_invalid_budget_is_reported(run: Run, arguments: tuple[str, ...], code: int):
    result = run("keys", *arguments)

    assert (result.code, result.out) == (code, "")
    assert result.err.strip()
    assert run("keys", "list").err == "No keys.\n"


def test_spending_is_a_table_with_totals_of_all_owners_or_one(run: Run):
    assert run("spend").err == "No spending.\n"
    store_jobs(ended(1, state=State.COMPLETED), unsure(number=2, owner="acme", created_at=1_795_219_200.0 + 86_400))

    by_day = run("spend", "--by", "day")
    assert [line.split() for line in by_day.out.splitlines()] == [
        ["DAY", "JOBS", "SETTLED", "RESERVED", "HELD", "UNPRICED", "VOID"],
        ["2026-11-21", "1", "$0.50", "$0.00", "$0.00", "-", "-"],
        ["2026-11-22", "1", "$0.00", "$0.00", "$0.50", "-", "-"],
        ["total", "2", "$0.50", "$0.00", "$0.50", "-", "-"],
    ]
    assert by_day.err.startswith("$0.50 of the settled amount is estimated")
    spending = json.loads(run("spend", "--owner", "acme", "--json").out)
    assert (spending["total"]["jobs"], spending["total"]["held_micro_usd"]) == (1, 500_000)
    assert run("spend", "--since", "2026-11-23").err == "No spending.\n"
    assert json.loads(run("spend", "--until", "2026-11-21", "--json").out)["total"]["jobs"] == 1


def test_spending_by_key_names_the_keys(run: Run):
    key_id = run("keys", "create", "--name", "website").out.split("_")[1]
    store_jobs(ended(1, key_id=key_id), ended(2))

    assert re.search(rf"^{key_id} \(website\)  1 ", run("spend", "--by", "key").out, re.MULTILINE)
    assert re.search(r"^no key +1 ", run("spend", "--by", "key").out, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "today"),
        ("--since", "2026-13-45"),
        ("--until", "20261101"),
        ("--since", "2026-11-02", "--until", "2026-11-01"),
        ("--by", "week"),
        ("--owner", "a", "--all"),
    ],
)
def test_an_invalid_day_or_group_of_spending_is_invalid_usage(run: Run, arguments: tuple[str, ...]):
    result = run("spend", *arguments)

    assert (result.code, result.out) == (2, "")


def test_a_gateway_reports_only_the_spending_of_the_caller(run: Run):
    store_jobs(ended(1, state=State.COMPLETED), unsure(number=2, owner="acme"))
    with embedded_gateway(load()) as client:
        spending = client.spend(by="provider", since="2026-11-01", until="2026-11-30")

    assert [(line["name"], line["jobs"]) for line in spending["data"]] == [("animatic", 1)]


def test_a_retry_shows_the_job_and_needs_a_confirmation(run: Run, monkeypatch: pytest.MonkeyPatch):
    store_jobs(unsure())
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    refused = run("resubmit", UNSURE)

    assert (refused.code, refused.out) == (6, "")
    assert "The connection broke." in refused.err
    assert "held, estimated at $0.50" in refused.err
    assert "It may cost twice. [y/N]" in refused.err
    assert refused.err.endswith("No order was placed.\n")
    assert len(json.loads(run("jobs", "--json").out)["data"]) == 1


def test_a_retry_without_a_terminal_needs_yes(run: Run, monkeypatch: pytest.MonkeyPatch):
    store_jobs(unsure())
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    result = run("resubmit", UNSURE)

    assert result.code == 2
    assert "--yes" in result.err
    assert len(json.loads(run("jobs", "--json").out)["data"]) == 1


def test_only_a_job_with_an_unknown_outcome_is_retried(run: Run):
    store_jobs(ended(fault=Fault(code="c", message="No.")))

    result = run("resubmit", UNSURE, "--yes")
    assert (result.code, result.out) == (1, "")
    assert "the outcome of its order is known" in result.err
    assert run("resubmit", "0190a000-0000-7000-8000-0000000000ff", "--yes").code == 4


def test_the_final_cost_of_a_held_job_is_set(run: Run):
    store_jobs(unsure(), unsure(number=2))
    settled = run("settle", UNSURE, "--cost", "0.32")
    void = run("settle", UNSURE[:-1] + "2", "--cost", "0")
    total = json.loads(run("spend", "--json").out)["total"]

    assert (settled.out, void.out) == (f"{UNSURE} settled at $0.32\n", f"{UNSURE[:-1]}2 void\n")
    assert (total["settled_micro_usd"], total["held_micro_usd"], total["void_jobs"]) == (320_000, 0, 1)
    assert [run("settle", job_id, "--cost", "1").code for job_id in (UNSURE, "nobody")] == [1, 4]
    assert run("settle", UNSURE, "--cost", "free").code == 2


@pytest.mark.slow
def test_a_retry_is_a_new_job_that_refers_to_the_old_one(run: Run, folder: Path):
    photo = PHOTOS / "cat.png"
    made_job = json.loads(
        run("generate", "-r", photo, "-p", "a cat", "--duration", "1", "--resolution", "360p", "--json").out
    )
    settings = load()

    async def lose() -> None:
        """As if that job's order had been lost on the way."""
        async with Store(sqlite_url(settings.data_dir)) as store:
            stored = await store.get(made_job["id"])
            assert stored is not None
            lost = unsure(request=stored.request)
            await store.insert(lost, ledger_change=ledger_change(None, lost, allow_unpriced=False))

    asyncio.run(lose())
    result = run("resubmit", UNSURE, "--yes", "--void-first", "-o", "again.mp4")

    assert result.code == 0, result.err
    assert (folder / "again.mp4").stat().st_size > 1000
    newest = json.loads(run("jobs", "--json", "-n", "1").out)["data"][0]
    assert newest["metadata"] == {"retry_of": UNSURE}
    assert json.loads(run("spend", "--json").out)["total"]["held_micro_usd"] == 0


def test_the_operator_finds_and_settles_the_held_jobs_of_all_owners(run: Run):
    store_jobs(ended(1), unsure(number=2, owner="acme"), unsure(number=3))
    acme, ours = (f"0190a000-0000-7000-8000-{number:012x}" for number in (2, 3))

    def listed(*flags: str) -> list[str]:
        return [job["id"] for job in json.loads(run("jobs", "--json", *flags).out)["data"]]

    assert listed("--held") == [ours]
    assert listed("--held", "--all") == [ours, acme]
    assert listed("--failed", "--owner", "acme") == [acme]
    assert len(listed("--failed")) == 2
    table = run("jobs", "--all", "--held")
    assert "acme     $0.50 held" in table.out
    assert "framegate settle ID" in table.err
    assert "framegate jobs --all --held" in run("spend").err
    assert acme in run("jobs", "show", acme).out
    assert run("jobs", "--all", "--owner", "acme").code == 2
    assert run("settle", acme, "--cost", "0.32").code == 0
    assert listed("--held", "--all") == [ours]
    assert json.loads(run("jobs", "--all", "--json").out)["data"][1]["bill"]["settled_micro_usd"] == 320_000


def test_money_and_keys_of_all_owners_are_managed_at_a_server(run: Run, monkeypatch: pytest.MonkeyPatch):
    store_jobs(unsure(number=2, owner="acme"))
    held = "0190a000-0000-7000-8000-000000000002"
    with served_here(load().data_dir, key="operator-key") as server:
        monkeypatch.setenv("FRAMEGATE_API_KEY", "operator-key")
        at = ("--server", server.url)
        created = run("keys", "create", "--name", "web", "--owner", "acme", "--expires", "2d", "--json", *at)
        key = json.loads(created.out)
        assert run("keys", "budget", key["id"], "--budget", "5", *at).out == f"{key['id']} $5.00 in total\n"
        assert "web" in run("keys", "list", *at).out
        assert json.loads(run("spend", "--owner", "acme", "--json", *at).out)["total"]["held_micro_usd"] == 500_000
        assert json.loads(run("spend", "--json", *at).out)["total"]["jobs"] == 0
        assert json.loads(run("jobs", "--all", "--held", "--json", *at).out)["data"][0]["id"] == held
        monkeypatch.setenv("FRAMEGATE_API_KEY", key["key"])
        for command in (["keys", "list"], ["jobs", "--all"], ["spend", "--all"], ["settle", held, "--cost", "1"]):
            refused = run(*command, *at)
            assert (refused.code, refused.out, "admin" in refused.err) == (5, "", True)
        monkeypatch.setenv("FRAMEGATE_API_KEY", "operator-key")
        assert run("settle", held, "--cost", "0", *at).out == f"{held} void\n"
        assert run("keys", "revoke", key["id"], *at).out == f"{key['id']} revoked\n"
        assert run("keys", "webhook-secret", *at).code == 2


def test_a_job_is_run_again(run: Run, folder: Path, address: str, plan: Plan):
    result = run("rerun", "job-0", "--server", address, "-o", "again.mp4")
    assert (result.code, result.out, (folder / "again.mp4").exists()) == (0, "again.mp4\n", True)
    assert plan.requests("POST", "/videos/job-0/rerun")[0].headers["idempotency-key"]
    assert run("rerun", "job-0", "--server", address, "--no-wait").out == "job-0\n"


def test_a_failed_job_is_run_again_and_one_of_unknown_outcome_is_not(run: Run):
    store_jobs(ended(1), unsure(number=2))
    again = json.loads(run("rerun", "0190a000-0000-7000-8000-000000000001", "--no-wait", "--json").out)
    refused = run("rerun", "0190a000-0000-7000-8000-000000000002")

    assert again["metadata"] == {"rerun_of": "0190a000-0000-7000-8000-000000000001"}
    assert (refused.code, refused.out) == (1, "")
    assert "framegate resubmit 0190a000-0000-7000-8000-000000000002" in refused.err
