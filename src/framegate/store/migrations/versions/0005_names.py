"""New names of columns and of keys in the JSON documents; a table of the blobs that each job references."""

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ROWS_PER_PAGE = 500
SHA256 = re.compile(r"[0-9a-f]{64}")
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
    op.create_table(
        "blob_references",
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_blob_references_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "sha256", name="pk_blob_references"),
    )
    op.create_index("ix_blob_references_sha256", "blob_references", ["sha256"])
    _rewrite_documents(op.get_bind())


def _rewrite_documents(connection: sa.Connection) -> None:
    jobs = sa.table("jobs", sa.column("id"), sa.column("request"), sa.column("state_json"))
    blob_references = sa.table("blob_references", sa.column("job_id"), sa.column("sha256"))
    last = ""
    while True:
        page = sa.select(jobs).where(jobs.c.id > last).order_by(jobs.c.id).limit(ROWS_PER_PAGE)
        rows = connection.execute(page).mappings().all()
        for row in rows:
            values = {"request": _dump(_request(row["request"])), "state_json": _dump(_state(row["state_json"]))}
            connection.execute(sa.update(jobs).where(jobs.c.id == row["id"]).values(values))
        references = [
            {"job_id": row["id"], "sha256": sha256}
            for row in rows
            for sha256 in sorted({*SHA256.findall(row["request"]), *SHA256.findall(row["state_json"])})
        ]
        if references:
            connection.execute(sa.insert(blob_references), references)
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
