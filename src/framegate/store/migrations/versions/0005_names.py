"""Columns, and keys of the JSON documents, under the names that the code uses."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ROWS_PER_PAGE = 500
COLUMNS = (
    ("jobs", "active", "is_open"),
    ("jobs", "unanswered", "unacked_fingerprint"),
    ("jobs", "document", "state_json"),
    ("deliveries", "attempts_before", "attempts_at_replay"),
    ("ledger", "reported", "provider_reported"),
)
REFERENCE = {"type": "reference_type", "view_of": "same_subject_as"}
POLICY = {"try_again": "retry", "keep_seconds": "retain_seconds"}
REQUEST = {"handling": "policy", "notes": "dialect_state"}
STATE = {
    "sent_at": "submitted_at",
    "doubtful": "submit_unconfirmed",
    "unknown_since": "missing_since",
    "tried": "fallback_log",
    "downloads": "failed_downloads",
    "setbacks": "failed_submits",
    "made": "provider_files",
}


def upgrade() -> None:
    op.drop_index("ix_jobs_due", "jobs")
    op.drop_index("ix_jobs_unanswered", "jobs")
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    op.create_index("ix_jobs_due", "jobs", ["is_open", "due_at"])
    op.create_index("ix_jobs_unacked_fingerprint", "jobs", ["unacked_fingerprint"])
    _rename_keys(op.get_bind())


def _rename_keys(connection: sa.Connection) -> None:
    jobs = sa.table("jobs", sa.column("id"), sa.column("request"), sa.column("state_json"))
    last = ""
    while True:
        page = sa.select(jobs).where(jobs.c.id > last).order_by(jobs.c.id).limit(ROWS_PER_PAGE)
        rows = connection.execute(page).mappings().all()
        for row in rows:
            values = {"request": _dump(_request(row["request"])), "state_json": _dump(_state(row["state_json"]))}
            connection.execute(sa.update(jobs).where(jobs.c.id == row["id"]).values(values))
        if len(rows) < ROWS_PER_PAGE:
            return
        last = rows[-1]["id"]


def _request(text: str) -> dict[str, Any]:
    request = _renamed(json.loads(text), REQUEST)
    if "references" in request:
        request["references"] = [_renamed(reference, REFERENCE) for reference in request["references"]]
    if "policy" in request:
        request["policy"] = _renamed(request["policy"], POLICY)
    return request


def _state(text: str) -> dict[str, Any]:
    state = _renamed(json.loads(text), STATE)
    if "prepared" in state:
        state["prepared"] = [
            _renamed(prepared, {"link": "signed_url"}) | {"reference": _renamed(prepared["reference"], REFERENCE)}
            for prepared in state["prepared"]
        ]
    if "provider_files" in state:
        state["provider_files"] = [_renamed(file, {"own": "behind_key"}) for file in state["provider_files"]]
    return state


def _renamed(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): item for key, item in value.items()}


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
