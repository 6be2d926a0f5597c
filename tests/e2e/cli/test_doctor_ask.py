"""`framegate doctor --ask`: one line for each account, and an exit code that tells whether all is well."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fake_gateway import CommandResult, Plan
from support.served_gateway import ServedGate

Run = Callable[..., CommandResult]
KEY, WRONG = "key-of-the-account", "wrong-key-of-the-account"


def account(provider: str, name: str, url: str, key: str) -> str:
    return f'[[accounts]]\nprovider = "{provider}"\nname = "{name}"\nbase_url = "{url}"\napi_key = "{key}"\n'


@pytest.fixture
def service(serve_gate: Callable[..., ServedGate], tmp_path: Path) -> ServedGate:
    """The gate that stands for the services."""
    return serve_gate(key=KEY, data_dir=tmp_path / "theirs", sandbox=True)


def test_doctor_asks_every_account_and_fails_where_one_would_not_work(run: Run, folder: Path, service: ServedGate):
    rows = [
        account("fal", "studio", f"{service.url}/fal", KEY),
        account("fal", "other", f"{service.url}/fal", WRONG),
        account("phaseo", "theirs", f"{service.url}/phaseo/v1", KEY),
        account("pictory", "nobody", "http://127.0.0.1:9", KEY),
        account("openrouter", "moved", f"{service.url}/api", KEY),
    ]
    (folder / "framegate.toml").write_text("".join(rows))
    told, as_json = run("doctor", "--ask"), run("doctor", "--ask", "--json")

    lines = {match[2]: match[0] for match in re.finditer(r"^(\w+) +account +\w+ `(\w+)`.*$", told.out, re.MULTILINE)}
    assert lines["studio"].startswith("ok ")
    assert "answers, and takes the key" in lines["studio"]
    assert re.search(r"^fail .* the key is refused\. fal answered 401: .*framegate\.toml\)$", lines["other"])
    assert re.search(r"^warn .* answers, and takes the key; .* by https address alone", lines["theirs"])
    assert re.search(r"^fail .* it cannot be reached: ", lines["nobody"])
    assert re.search(r"^fail .* not as OpenRouter does \(404 .* is the base URL right\?\)$", lines["moved"])
    found = [one for one in json.loads(as_json.out)["findings"] if one["name"] == "account"]
    assert [one["code"] for one in found] == ["ok", "key_refused", "ok", "unreachable", "strange"]
    assert (told.code, as_json.code) == (1, 1)
    assert KEY not in told.out + told.err + as_json.out
    with service.client() as api:
        assert api.get("/videos").json()["data"] == []


def test_doctor_with_working_accounts_alone_ends_well(run: Run, folder: Path, service: ServedGate):
    (folder / "framegate.toml").write_text(account("openrouter", "theirs", f"{service.url}/api/v1", KEY))
    ran = run("doctor", "--ask")

    assert (ran.code, "it answers, takes the key, and lists " in ran.out) == (0, True)


@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "--ask")])
def test_nobody_is_asked_unless_it_is_wished_and_never_in_the_sandbox(
    run: Run, folder: Path, plan: Plan, address: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    (folder / "framegate.toml").write_text(account("openrouter", "theirs", address, KEY))
    if "--ask" in arguments:
        monkeypatch.setenv("FRAMEGATE_SANDBOX", "1")
    ran = run(*arguments)

    assert (ran.code, plan.received) == (0, [])
    assert ("so none was asked" in ran.out) is ("--ask" in arguments)
