"""`framegate config show` and `framegate init`."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framegate.config.loading import load
from framegate.config.settings import TABLES, Settings
from support.fake_gateway import CommandResult

Run = Callable[..., CommandResult]


def shown(run: Run, *flags: object) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(run("config", "show", "--json", *flags).out)["data"]}


def test_each_setting_is_shown_with_its_source(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "other.toml").write_text("port = 9000\nsandbox = true\nlink_seconds = 90")
    monkeypatch.setenv("FRAMEGATE_CONFIG", "other.toml")
    monkeypatch.setenv("FRAMEGATE_SANDBOX", "0")
    rows = shown(run, "--data", folder / "here")

    assert rows.keys() == Settings.model_fields.keys()
    assert (rows["port"]["value"], rows["port"]["source"]) == (9000, "other.toml")
    assert (rows["sandbox"]["value"], rows["sandbox"]["source"]) == (False, "FRAMEGATE_SANDBOX")
    assert (rows["signed_url_ttl_seconds"]["value"], rows["signed_url_ttl_seconds"]["source"]) == (90, "other.toml")
    assert (rows["data_dir"]["value"], rows["data_dir"]["source"]) == (str(folder / "here"), "--data")
    assert rows["host"]["source"] == "default"


def test_no_key_and_no_password_is_shown(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "framegate.toml").write_text(
        """
        [[accounts]]
        provider = "openrouter"
        api_key = "SECRET-1"
        [[webhook_endpoints]]
        id = "we_1"
        url = "https://h/x"
        secret = "SECRET-2"
        """
    )
    monkeypatch.setenv("FRAMEGATE_API_KEY", "SECRET-3")
    monkeypatch.setenv("FRAMEGATE_DATABASE_URL", "sqlite+aiosqlite://user:SECRET-4@h@/x.db?password=SECRET-6")
    monkeypatch.setenv("FAL_KEY", "SECRET-5")
    result, table = run("config", "show", "--json"), run("config", "show")

    assert (result.code, table.code) == (0, 0)
    assert "SECRET" not in result.out + result.err + table.out + table.err
    assert shown(run)["api_key"] == {"name": "api_key", "value": "(set)", "source": "FRAMEGATE_API_KEY"}
    assert shown(run)["accounts"]["source"] == "framegate.toml, FAL_KEY"


def test_init_writes_every_setting_and_each_is_valid_when_it_is_set(run: Run, folder: Path):
    assert run("init").out == "framegate.toml\n"
    text = (folder / "framegate.toml").read_text()
    load()
    lines = text.splitlines()
    defaults = [line[2:] for line in lines if " = " in line and not line.endswith("= ") and line.startswith("# ")]
    names = {line[2:].split(" = ")[0] for line in lines if line.startswith("# ") and " = " in line}

    assert names >= Settings.model_fields.keys() - TABLES
    plain = [line for line in defaults if line.split(" = ")[0] in Settings.model_fields.keys() - TABLES]
    Settings(**tomllib.loads("\n".join(plain)))
    assert all(
        (Settings.model_fields[name].description or name) in text for name in Settings.model_fields.keys() - TABLES
    )


def test_init_overwrites_nothing_without_force(run: Run, folder: Path):
    (folder / "framegate.toml").write_text("port = 1")

    assert run("init").code == 2
    assert (folder / "framegate.toml").read_text() == "port = 1"
    assert run("init", "--force").code == 0
