"""`framegate keys` and the webhooks of a job, on a real data folder."""

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


def create_key(run: Run, *arguments: object) -> str:
    result = run("keys", "create", *arguments)
    assert result.code == 0, result.err
    assert KEY.fullmatch(result.out)
    assert "not shown again" in result.err
    return result.out.strip()


def test_a_key_is_printed_once_then_listed_without_its_text_and_revoked(run: Run):
    text = create_key(
        run, "--name", "website", "--owner", "acme", "--expires", "30d", "--rate", "60", "--scope", "read"
    )
    key_id = text.split("_")[1]

    listed = run("keys", "list")
    assert re.search(
        rf"^{key_id}  acme   website  read    works until \S+ \S+  60/min  -       -$", listed.out, re.MULTILINE
    )
    (row,) = json.loads(run("keys", "list", "--json").out)["data"]
    assert row["expires_at"] - row["created_at"] == pytest.approx(30 * 86_400, abs=1)
    assert (row["scopes"], row["requests_per_minute"], row["state"]) == (["read"], 60, "works")
    assert run("keys", "revoke", key_id).out == f"{key_id} revoked\n"
    assert "revoked" in run("keys", "list").out
    assert text not in listed.out + run("keys", "list", "--json").out


def test_a_key_without_options_belongs_to_the_default_owner_and_can_create_and_read(run: Run):
    create_key(run)

    (row,) = json.loads(run("keys", "list", "--json").out)["data"]
    assert (row["owner"], row["scopes"], row["expires_at"]) == ("default", ["create", "read"], None)


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
def test_invalid_options_of_a_key_are_reported(run: Run, arguments: tuple[str, ...], code: int):
    result = run("keys", *arguments)

    assert (result.code, result.out) == (code, "")
    assert result.err.strip()
    assert run("keys", "list").err == "No keys.\n"


def test_commands_on_the_data_folder_need_no_key_even_if_one_exists(run: Run):
    create_key(run, "--owner", "acme")

    assert run("jobs").err == "No jobs.\n"


def test_doctor_finds_created_keys(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_HOST", "0.0.0.0")
    assert re.search(r"^fail  key .*framegate keys create", run("doctor").out, re.MULTILINE)
    create_key(run)

    assert re.search(r"^ok    key +created by `framegate keys`$", run("doctor").out, re.MULTILINE)


@pytest.mark.parametrize("command", [("keys", "list"), ("keys", "create"), ("serve", "--port", "0"), ("doctor",)])
def test_a_file_that_is_not_a_database_is_reported(run: Run, tmp_path: Path, command: tuple[str, ...]):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "framegate.db").write_bytes(b"no database at all" * 100)
    result = run(*command)

    assert result.code in (1, 5)
    assert "not a database" in result.out + result.err


def test_the_webhook_secret_depends_on_the_owner_and_is_stable(run: Run):
    first, second, other = (run("keys", "webhook-secret", *owner).out for owner in ((), (), ("--owner", "acme")))

    assert first == second != other
    assert first.startswith("whsec_")
    assert json.loads(run("keys", "webhook-secret", "--json").out)["secret"] == first.strip()


def test_the_webhooks_of_a_job_are_shown_with_every_attempt_and_replayed(run: Run, photos: tuple[Path, ...]):
    with embedded_gateway(load()) as client:
        job = client.videos.create(
            prompt="pan left", references=[photos[0]], duration=10, callback_url="https://hooks.invalid/hook"
        ).cancel()
    shown = run("jobs", "show", job.id)
    for _ in range(50):
        if "attempt 1" in shown.out:
            break
        shown = run("jobs", "show", job.id)

    assert re.search(r"^webhook +\S{36} video.generation.cancelled waiting$", shown.out, re.MULTILINE)
    assert re.search(
        r"^ +attempt 1 at .*: Host name not found: `hooks\.invalid`\. \(\d+ ms\)$", shown.out, re.MULTILINE
    )
    (webhook,) = json.loads(run("jobs", "show", job.id, "--json").out)["webhooks"]
    assert webhook["attempts"][0]["number"] == 1
    assert run("jobs", "replay", job.id).err == "No webhook of this job has failed.\n"
    assert run("jobs", "replay", job.id, webhook["id"]).out == f"{webhook['id']} video.generation.cancelled\n"
    (replayed,) = json.loads(run("jobs", "replay", job.id, webhook["id"], "--json").out)["data"]
    assert replayed["id"] == webhook["id"]
    assert run("jobs", "replay", job.id, "nope").code == 4
