"""Tables. A job has columns for what queries need, and two JSON documents: its request and the rest."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("model", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_open", Boolean, nullable=False),  # has not ended
    Column("version", Integer, nullable=False),
    Column("due_at", Double, nullable=False),  # of its next step
    Column("cancel_requested", Boolean, nullable=False),
    Column("worker", String(64)),  # that claimed it
    Column("fence", Integer, nullable=False),  # rises with every claim: a late worker's writes are refused
    Column("lease_until", Double),
    Column("idempotency_key", String(255)),
    Column("body_hash", String(64), nullable=False),
    Column("unacked_fingerprint", String(64)),  # of the create, until its client has the response
    Column("request", Text, nullable=False),  # written once
    Column("state_json", Text, nullable=False),  # rewritten with every transition
    UniqueConstraint("owner", "idempotency_key"),
)
Index("ix_jobs_due", jobs.c.is_open, jobs.c.due_at)
Index("ix_jobs_owner_id", jobs.c.owner, jobs.c.id)
Index("ix_jobs_unacked_fingerprint", jobs.c.unacked_fingerprint)

events = Table(
    "events",
    metadata,
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # the job's version after the change
    Column("at", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(64), nullable=False),
    Column("progress", Double),
)

# An order is committed here before its first byte is sent.
orders = Table(
    "orders",
    metadata,
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("fence", Integer, nullable=False),
    Column("key", String(64), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # sending accepted refused not_sent unsure lost
    Column("at", Double, nullable=False),
)

# The blobs that a job references, so that a file is deleted with the last job that uses it.
blob_references = Table(
    "blob_references",
    metadata,
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
)
Index("ix_blob_references_sha256", blob_references.c.sha256)

# A webhook, written in the transaction of the change that it reports.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),  # the event's id
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("dialect", String(32), nullable=False),
    Column("url", Text, nullable=False),
    Column("host", String(255), nullable=False),  # of the URL: a slow host does not delay the others
    Column("type", String(100), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),  # waiting delivered failed
    Column("attempts", Integer, nullable=False),
    Column("attempts_at_replay", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("worker", String(64)),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Double),
    UniqueConstraint("job_id", "seq", "type"),  # no event is reported twice
)
Index("ix_deliveries_due", deliveries.c.state, deliveries.c.due_at)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", String(36), ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(100), nullable=False),
    Column("sha256", String(64), nullable=False),  # of the whole key, which is not stored
    Column("scopes", String(100), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("requests_per_minute", Integer),
    Column("budget_micro_usd", BigInteger),
    Column("budget_period", String(8)),  # total month day
)

# Money of a job, in millionths of a US dollar. No foreign key: the entry survives its job.
ledger = Table(
    "ledger",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("key_id", String(32)),
    Column("model", String(200), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("day", String(10), nullable=False),  # UTC, of the job's acceptance
    Column("created_at", Double, nullable=False),
    Column("reserved_micro_usd", BigInteger),
    Column("settled_micro_usd", BigInteger),
    Column("provider_reported", Boolean, nullable=False),  # whether the provider reported the settled amount
    Column("state", String(16), nullable=False),  # reserved settled void held
    Column("ended_at", Double),
)
Index("ix_ledger_key_id_day", ledger.c.key_id, ledger.c.day)
Index("ix_ledger_owner_day", ledger.c.owner, ledger.c.day)

assets = Table(
    "assets",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(100), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
