"""The schema of the database on the command line, and a schema of a newer version."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from framegate.store import FolderLock
from framegate.store.engine import SCHEMA
from support.fake_gateway import CommandResult

Run = Callable[..., CommandResult]
ID = "01a1fb4f-a193-77fc-9b11-9664e0b83787"


def set_version(data: Path, version: str) -> None:
    connection = sqlite3.connect(data / "framegate.db")
    connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()


@pytest.fixture
def data(run: Run, tmp_path: Path) -> Path:
    """The data folder with a database of this version."""
    assert run("db", "upgrade").out == f"{SCHEMA}\n"
    return tmp_path / "data"


def test_current_shows_the_version_and_creates_nothing(run: Run, tmp_path: Path):
    none = run("db", "current")
    assert (none.code, none.out, (tmp_path / "data").exists()) == (0, "none\n", False)
    assert json.loads(run("db", "current", "--json").out) == {"version": None, "newest": SCHEMA}
    run("db", "upgrade")
    assert run("db", "current").out == f"{SCHEMA}\n"
    assert json.loads(run("db", "upgrade", "--json").out) == {"before": SCHEMA, "version": SCHEMA}


def test_a_schema_is_not_upgraded_under_a_running_gateway(run: Run, data: Path):
    lock = FolderLock(data)
    lock.acquire()
    try:
        result = run("db", "upgrade")
    finally:
        lock.release()

    assert (result.code, result.out) == (5, "")


@pytest.mark.parametrize("version", ["9999", "00061", "from a fork"])
@pytest.mark.parametrize(
    "command",
    ["db current", "db upgrade", "jobs", "models", "check -p x", "keys list", "spend", "serve --port 0", f"watch {ID}"],
)
def test_a_schema_of_a_newer_version_is_one_sentence_and_exit_2(run: Run, data: Path, command: str, version: str):
    set_version(data, version)
    result = run(*command.split())

    assert result.code == 2
    [line] = result.err.splitlines()
    assert line.startswith(f"error: The database was written by a newer version of Framegate (schema {version}; ")
    assert result.out == (f"{version}\n" if command == "db current" else "")


def test_doctor_reports_a_schema_of_a_newer_version_once(run: Run, data: Path):
    set_version(data, "9999")
    result = run("doctor")

    assert result.code == 1
    assert result.out.count("newer version of Framegate") == 1


def test_every_file_of_a_data_folder_is_for_its_owner_alone_whatever_the_umask(run: Run, tmp_path: Path):
    umask = os.umask(0)
    try:
        run("keys", "create")
        assert run("check", "-p", "x", "-r", str(Path(__file__).parents[2] / "support/photos/cat.png")).code == 0
    finally:
        os.umask(umask)

    paths = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert {path.name for path in paths} >= {"data", "framegate.db", "lock", "blobs", "renders"}
    assert [path for path in paths if path.stat().st_mode & 0o077] == []
    assert "ok    permissions" in run("doctor").out


def test_doctor_reports_an_existing_data_folder_that_others_can_read(run: Run, data: Path):
    data.chmod(0o755)
    (data / "framegate.db").chmod(0o644)
    result = run("doctor", "--json")

    [finding] = [row for row in json.loads(result.out)["findings"] if row["name"] == "permissions"]
    assert (finding["mark"], finding["hint"]) == ("warn", f"chmod -R go= {data}")
    assert str(data / "framegate.db") in finding["detail"]
