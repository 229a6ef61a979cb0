"""The tables, as SQLAlchemy Core. Migrations bring a database to this state: see `upgrade.py`.

Times are seconds since 1970 (UTC): the database's clock on PostgreSQL, the machine's on SQLite.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Document = JSON(none_as_null=True)  # not JSONB, which reorders keys: losses are summed in order
# SQLite numbers rows by itself only where the key is an INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")

owners = Table(
    "owners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # model.OwnerKind
    Column("created", Double, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    # When the owner was last given a worker, on the queue's clock of rounds: `queue/turns.py`.
    Column("served", Double, nullable=False, server_default="0"),
    Column("seen", Double),  # last request, for retention of sessions
)
Index("ix_owners_served", owners.c.served)  # its maximum is the clock

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", ForeignKey("owners.id", ondelete="CASCADE"), nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("created", Double, nullable=False),
    Column("revoked", Double),
    Column("label", Text, nullable=False, server_default=""),
    Column("used", Double),
)

emails = Table(
    "emails",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", ForeignKey("owners.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("confirmed", Double),
    Column("token_sha256", Text),
    Column("token_until", Double),
    Column("asked", Integer, nullable=False, server_default="0"),  # confirmations sent
    UniqueConstraint("owner_id", "address"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", ForeignKey("owners.id", ondelete="CASCADE"), nullable=False),
    Column("batch_id", Text),
    Column("parent_id", Text),  # no foreign key: a parent may be gone
    Column("state", Text, nullable=False),  # model.State
    Column("lane", Text, nullable=False, server_default="gpu"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("settings", Document, nullable=False),
    Column("prompt", Text, nullable=False, server_default=""),
    Column("search", Text, nullable=False, server_default=""),  # lower case: prompt, drawer, styles
    Column("drawer", Text, nullable=False, server_default=""),
    Column("public", Boolean, nullable=False, server_default=text("false")),
    Column("created", Double, nullable=False),
    Column("not_before", Double, nullable=False, server_default="0"),
    Column("started", Double),
    Column("finished", Double),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False, server_default="3"),
    Column("worker", Text),
    Column("lease_until", Double),
    Column("ticket", BigInteger),  # the row of Procrastinate's that stands for this job
    Column("ticket_worker", BigInteger),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("progress", Double, nullable=False, server_default="0"),
    Column("step", Integer, nullable=False, server_default="0"),
    Column("steps", Integer, nullable=False, server_default="0"),
    Column("score", Double),
    Column("loss", Double),
    Column("eta_seconds", Double),
    Column("error", Text, nullable=False, server_default=""),
    Column("result", Document),
    Column("checkpoint", Document),
    Column("idempotency_key", Text),
    Column("fingerprint", Text),  # of the request that came with the key
    Column("webhook_url", Text),
    Column("email_id", ForeignKey("emails.id", ondelete="SET NULL")),
    Column("deleted_at", Double),
    Column("hidden", Boolean, nullable=False, server_default=text("false")),
    Column("last_seq", Integer, nullable=False, server_default="0"),
    UniqueConstraint("owner_id", "idempotency_key"),
)
Index(
    "ix_jobs_queued",
    jobs.c.lane,
    jobs.c.owner_id,
    jobs.c.priority,
    jobs.c.created,
    sqlite_where=text("state = 'queued'"),
    postgresql_where=text("state = 'queued'"),
)
Index(
    "ix_jobs_running",
    jobs.c.lease_until,
    jobs.c.owner_id,
    sqlite_where=text("state = 'running'"),
    postgresql_where=text("state = 'running'"),
)
Index(
    "ix_jobs_done",
    jobs.c.finished,
    jobs.c.id,
    sqlite_where=text("state = 'done'"),
    postgresql_where=text("state = 'done'"),
)
Index("ix_jobs_mine", jobs.c.owner_id, jobs.c.created, jobs.c.id)
Index("ix_jobs_batch_id", jobs.c.batch_id)
Index("ix_jobs_parent_id", jobs.c.parent_id)
Index("ix_jobs_deleted_at", jobs.c.deleted_at)

job_events = Table(
    "job_events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("seq", Integer, nullable=False),
    # PostgreSQL's number of the writing transaction: see `events.py`; 0 on SQLite.
    Column("tx", BigInteger, nullable=False, server_default="0"),
    Column("ts", Double, nullable=False),
    Column("type", Text, nullable=False),  # model.EventType
    Column("data", Document, nullable=False),
    UniqueConstraint("job_id", "seq"),
    sqlite_autoincrement=True,  # a place in the stream of all is never given out twice
)
Index("ix_job_events_place", job_events.c.tx, job_events.c.id)

likes = Table(
    "likes",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("owner_id", ForeignKey("owners.id", ondelete="CASCADE"), primary_key=True),
    Column("created", Double, nullable=False),
)
Index("ix_likes_owner_id", likes.c.owner_id)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # mail | webhook
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("target", Text, nullable=False),
    Column("payload", Document, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),  # waiting sending sent dead
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", Double, nullable=False, server_default="0"),
    Column("lease_until", Double),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created", Double, nullable=False),
    Column("sent", Double),
)
Index("ix_outbox_waiting", outbox.c.state, outbox.c.not_before)
Index("ix_outbox_job_id", outbox.c.job_id)

uploads = Table(
    "uploads",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("owner_id", ForeignKey("owners.id", ondelete="SET NULL")),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("used", Double, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("runner", Text, nullable=False),
    Column("device", Text, nullable=False, server_default=""),
    Column("lanes", Text, nullable=False),  # comma-separated
    Column("started", Double, nullable=False),
    Column("seen", Double, nullable=False),
    Column("job_id", Text),
)

settings_kv = Table(
    "settings_kv",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Document, nullable=False),
)

rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("updated", Double, nullable=False),
)
