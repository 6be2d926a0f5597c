"""Creates whose answer may not have reached their client."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("unanswered", sa.String(64)))
    op.create_index("ix_jobs_unanswered", "jobs", ["unanswered"])
