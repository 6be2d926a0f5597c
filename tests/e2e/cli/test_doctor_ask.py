"""`framegate doctor --ask`: one line per account, and exit code 1 if one fails."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.fake_gateway import CommandResult, Plan
from support.served_gateway import ServedGateway

Run = Callable[..., CommandResult]
KEY, WRONG = "key-of-the-account", "wrong-key-of-the-account"


def account(provider: str, name: str, url: str, key: str) -> str:
    return f'[[accounts]]\nprovider = "{provider}"\nname = "{name}"\nbase_url = "{url}"\napi_key = "{key}"\n'


@pytest.fixture
def service(serve_gateway: Callable[..., ServedGateway], tmp_path: Path) -> ServedGateway:
    """The gateway that stands in for the services."""
    return serve_gateway(key=KEY, data_dir=tmp_path / "theirs", sandbox=True)


def test_doctor_contacts_every_account_and_fails_if_one_does_not_work(run: Run, folder: Path, service: ServedGateway):
    rows = [
        account("fal", "studio", f"{service.url}/fal", KEY),
        account("fal", "other", f"{service.url}/fal", WRONG),
        account("phaseo", "theirs", f"{service.url}/phaseo/v1", KEY),
        account("pictory", "nobody", "http://127.0.0.1:9", KEY),
        account("openrouter", "moved", f"{service.url}/api", KEY),
    ]
    (folder / "framegate.toml").write_text("".join(rows))
    text, as_json = run("doctor", "--ask"), run("doctor", "--ask", "--json")

    lines = {match[2]: match[0] for match in re.finditer(r"^(\w+) +account +\w+/(\w+) at .*$", text.out, re.MULTILINE)}
    assert lines["studio"].startswith("ok ")
    assert "responds and accepts the key" in lines["studio"]
    assert re.search(r"^fail .* the key was rejected\. fal returned 401: .*framegate\.toml\)$", lines["other"])
    assert re.search(r"^warn .* responds and accepts the key; .* only as https URLs", lines["theirs"])
    assert re.search(r"^fail .* it cannot be reached: ", lines["nobody"])
    assert re.search(r"^fail .* not like OpenRouter \(404 .*\): check the base URL$", lines["moved"])
    findings = [row for row in json.loads(as_json.out)["findings"] if row["name"] == "account"]
    assert [row["code"] for row in findings] == ["ok", "key_refused", "ok", "unreachable", "strange"]
    assert (text.code, as_json.code) == (1, 1)
    assert KEY not in text.out + text.err + as_json.out
    with service.client() as api:
        assert api.get("/videos").json()["data"] == []


def test_doctor_succeeds_if_all_accounts_work(run: Run, folder: Path, service: ServedGateway):
    (folder / "framegate.toml").write_text(account("openrouter", "theirs", f"{service.url}/api/v1", KEY))
    result = run("doctor", "--ask")

    assert (result.code, "it responds, accepts the key, and lists " in result.out) == (0, True)


@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "--ask")])
def test_no_service_is_contacted_without_ask_or_in_the_sandbox(
    run: Run, folder: Path, plan: Plan, address: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    (folder / "framegate.toml").write_text(account("openrouter", "theirs", address, KEY))
    if "--ask" in arguments:
        monkeypatch.setenv("FRAMEGATE_SANDBOX", "1")
    result = run(*arguments)

    assert (result.code, plan.received) == (0, [])
    assert ("so none was contacted" in result.out) is ("--ask" in arguments)


def test_doctor_names_an_account_that_leads_back_to_its_own_gateway(
    run: Run, folder: Path, serve_gateway: Callable[..., ServedGateway], tmp_path: Path
):
    own = serve_gateway(key=KEY, data_dir=tmp_path / "data", sandbox=True)
    paths = {"openrouter": "/api/v1", "phaseo": "/phaseo/v1", "fal": "/fal", "pictory": "/pictory"}
    rows = [account(name, "own", own.url + path, WRONG) for name, path in paths.items()]
    (folder / "framegate.toml").write_text("".join(rows))
    result = run("doctor", "--ask")

    lines = [line for line in result.out.splitlines() if "leads back to this gateway" in line]
    assert (result.code, len(lines)) == (1, len(paths))


def test_doctor_names_a_vendors_hostname_that_the_hosts_file_redirects(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    async def resolve(host: str, _: int) -> list[str]:
        return ["127.0.0.1"] if host == "openrouter.ai" else ["104.18.2.115"]

    monkeypatch.setattr("framegate.net.ssrf.resolve_name", resolve)
    rows = (
        account("openrouter", "moved", "https://openrouter.ai/api/v1", KEY),
        account("fal", "theirs", "https://queue.fal.run", KEY),
    )
    (folder / "framegate.toml").write_text("".join(rows))
    result = run("doctor")

    assert re.findall(
        r"^warn +account +(\S+): (\S+) resolves to an address of this machine", result.out, re.MULTILINE
    ) == [("openrouter/moved", "openrouter.ai")]
