"""The tables. Columns are what queries need; the rest of a job is one JSON document beside its request."""

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
    Column("is_open", Boolean, nullable=False),  # not yet at an end
    Column("version", Integer, nullable=False),
    Column("due_at", Double, nullable=False),  # when the runner should look at it next
    Column("cancel_requested", Boolean, nullable=False),
    Column("worker", String(64)),  # who holds it now
    Column("fence", Integer, nullable=False),  # rises with every claim: a late worker's moves are refused
    Column("lease_until", Double),
    Column("idempotency_key", String(255)),
    Column("body_hash", String(64), nullable=False),
    Column("unacked_fingerprint", String(64)),  # what was asked, until its client has the answer
    Column("request", Text, nullable=False),  # written once
    Column("state_json", Text, nullable=False),  # rewritten with every move
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

# An order's intent stands here, committed, before its first byte leaves.
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

# An event on its way to the address that its job named; written with the move that made it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(36), primary_key=True),  # the event's id
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("dialect", String(32), nullable=False),
    Column("url", Text, nullable=False),
    Column("host", String(255), nullable=False),  # of the address: one slow host does not hold up the others
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
    UniqueConstraint("job_id", "seq", "type"),  # no event happens twice
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
    Column("sha256", String(64), nullable=False),  # of the whole text; the text itself is kept nowhere
    Column("scopes", String(100), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("requests_per_minute", Integer),
    Column("budget_micro_usd", BigInteger),
    Column("budget_period", String(8)),  # total month day
)

# The money of a job, in millionths of a US dollar. No foreign key: what was spent stays told when the job is deleted.
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
    Column("provider_reported", Boolean, nullable=False),  # whether the provider said what was settled
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
