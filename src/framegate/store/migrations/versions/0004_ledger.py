"""The ledger, and the budgets of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("keys", sa.Column("budget_micro_usd", sa.BigInteger()))
    op.add_column("keys", sa.Column("budget_period", sa.String(8)))
    op.create_table(
        "ledger",
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(32)),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("reserved_micro_usd", sa.BigInteger()),
        sa.Column("settled_micro_usd", sa.BigInteger()),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ended_at", sa.Double()),
        sa.PrimaryKeyConstraint("job_id", name="pk_ledger"),
    )
    op.create_index("ix_ledger_key_id_day", "ledger", ["key_id", "day"])
    op.create_index("ix_ledger_owner_day", "ledger", ["owner", "day"])
