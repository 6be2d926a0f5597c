"""Keys and webhooks from the command line, over a real data folder."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.app.embedded import embedded_gateway
from framegate.config.loading import load
from support.fake_gateway import CommandResult

Run = Callable[..., CommandResult]
KEY = re.compile(r"fg_([a-z0-9]{12})_[A-Za-z0-9_-]{43}\n")


def made(run: Run, *arguments: object) -> str:
    ran = run("keys", "create", *arguments)
    assert ran.code == 0, ran.err
    assert KEY.fullmatch(ran.out)
    assert "not shown again" in ran.err
    return ran.out.strip()


def test_a_key_is_shown_once_then_listed_without_its_text_and_revoked(run: Run):
    text = made(run, "--name", "website", "--owner", "acme", "--expires", "30d", "--rate", "60", "--scope", "read")
    key_id = text.split("_")[1]

    listed = run("keys", "list")
    assert re.search(
        rf"^{key_id}  acme   website  read    works until \S+ \S+  60/min  -       -$", listed.out, re.MULTILINE
    )
    (one,) = json.loads(run("keys", "list", "--json").out)["data"]
    assert one["expires_at"] - one["created_at"] == pytest.approx(30 * 86_400, abs=1)
    assert (one["scopes"], one["requests_per_minute"], one["state"]) == (["read"], 60, "works")
    assert run("keys", "revoke", key_id).out == f"{key_id} revoked\n"
    assert "revoked" in run("keys", "list").out
    assert text not in listed.out + run("keys", "list", "--json").out


def test_without_flags_a_key_is_the_default_owners_and_may_create_and_read(run: Run):
    made(run)

    (one,) = json.loads(run("keys", "list", "--json").out)["data"]
    assert (one["owner"], one["scopes"], one["expires_at"]) == ("default", ["create", "read"], None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "--expires", "soon"), 2),
        (("create", "--expires", "0d"), 2),
        (("create", "--rate", "0"), 2),
        (("create", "--scope", "all"), 2),
        (("create", "--owner", "a b"), 3),
        (("create", "--name", "n" * 101), 3),
        (("revoke", "nobody"), 4),
    ],
)
def test_what_no_key_can_have_is_refused_in_a_sentence(run: Run, arguments: tuple[str, ...], code: int):
    ran = run("keys", *arguments)

    assert (ran.code, ran.out) == (code, "")
    assert ran.err.strip()
    assert run("keys", "list").err == "No keys.\n"


def test_commands_over_the_folder_need_no_key_though_there_is_one(run: Run):
    made(run, "--owner", "acme")

    assert run("jobs").err == "No jobs.\n"


def test_the_doctor_knows_of_keys_that_were_made(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_HOST", "0.0.0.0")
    assert re.search(r"^fail  key .*framegate keys create", run("doctor").out, re.MULTILINE)
    made(run)

    assert re.search(r"^ok    key +made by `framegate keys`$", run("doctor").out, re.MULTILINE)


@pytest.mark.parametrize("command", [("keys", "list"), ("keys", "create"), ("serve", "--port", "0"), ("doctor",)])
def test_a_database_that_is_none_ends_in_a_sentence(run: Run, tmp_path: Path, command: tuple[str, ...]):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "framegate.db").write_bytes(b"no database at all" * 100)
    ran = run(*command)

    assert ran.code in (1, 5)
    assert "not a database" in ran.out + ran.err


def test_the_webhook_secret_is_the_owners_and_stays_the_same(run: Run):
    one, again, other = (run("keys", "webhook-secret", *owner).out for owner in ((), (), ("--owner", "acme")))

    assert one == again != other
    assert one.startswith("whsec_")
    assert json.loads(run("keys", "webhook-secret", "--json").out)["secret"] == one.strip()


def test_a_jobs_webhooks_are_shown_with_every_try_and_replayed_by_hand(run: Run, photos: tuple[Path, ...]):
    with embedded_gateway(load()) as gate:
        job = gate.videos.create(
            prompt="pan left", references=[photos[0]], duration=10, callback_url="https://127.0.0.1:1/hook"
        ).cancel()
    for _ in range(50):
        shown = run("jobs", "show", job.id)
        if "try 1" in shown.out:
            break

    assert re.search(r"^webhook +\S{36} video.generation.cancelled waiting$", shown.out, re.MULTILINE)
    assert re.search(r"^ +try 1 at .*: .* leads to a loopback address\. .* \(\d+ ms\)$", shown.out, re.MULTILINE)
    (webhook,) = json.loads(run("jobs", "show", job.id, "--json").out)["webhooks"]
    assert webhook["attempts"][0]["number"] == 1
    assert run("jobs", "replay", job.id).err == "No webhook of this job has failed.\n"
    assert run("jobs", "replay", job.id, webhook["id"]).out == f"{webhook['id']} video.generation.cancelled\n"
    (again,) = json.loads(run("jobs", "replay", job.id, webhook["id"], "--json").out)["data"]
    assert again["id"] == webhook["id"]
    assert run("jobs", "replay", job.id, "nope").code == 4
