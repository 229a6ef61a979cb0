"""Turns are times on a clock of rounds, in place of a count of claims.

The counts stay: as times they keep the order of those who wait, and the clock goes on from there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    with op.batch_alter_table("owners", schema=None) as batch_op:
        batch_op.alter_column(
            "served", existing_type=sa.BigInteger(), type_=sa.Double(), existing_nullable=False
        )
        batch_op.create_index("ix_owners_served", ["served"], unique=False)


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("owners", schema=None) as batch_op:
        batch_op.drop_index("ix_owners_served")
        batch_op.alter_column(
            "served", existing_type=sa.Double(), type_=sa.BigInteger(), existing_nullable=False
        )
