"""What could not be delivered, for the administrator: looking at it, and sending it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from text2art.studio.api.context import Context, Ctx, Who, require_admin
from text2art.studio.api.metrics import Family
from text2art.studio.db.engine import reading
from text2art.studio.mail import rows
from text2art.studio.model import NotFound

router = APIRouter(tags=["administration"])
LetterId = Annotated[
    str,
    Path(
        description="Id of a message.",
        json_schema_extra={"pattern": "^[0-7][0-9a-hjkmnp-tv-z]{25}$"},  # others are not found
    ),
]


class LetterShape(BaseModel):
    """A mail or webhook that was given up: why, and neither its address nor its words."""

    id: str
    kind: Literal["mail", "webhook"]
    job_id: str | None
    place: str = Field(description="Host of a webhook; empty for a mail.")
    attempts: int
    reason: str
    created: float


class Letters(BaseModel):
    """What was given up, the latest first, and how many messages there are."""

    letters: list[LetterShape]
    counts: dict[str, dict[str, int]] = Field(
        description="Messages by kind and state: waiting, sending, sent, dead."
    )


class SentAgain(BaseModel):
    """A message that is tried once more."""

    id: str


@router.get("/admin/mail")
def list_mail(
    context: Ctx,
    caller: Who,
    limit: Annotated[int, Query(ge=1, le=500, description="Messages at most.")] = 100,
) -> Letters:
    """Return the mails and webhooks that were given up."""
    require_admin(caller)
    with reading(context.studio.engine) as connection:
        found, counts = rows.dead_letters(connection, limit), rows.counts(connection)
    by_kind: dict[str, dict[str, int]] = {}
    for (kind, state), count in sorted(counts.items()):
        by_kind.setdefault(kind, {})[state] = count
    letters = [LetterShape.model_validate(vars(letter)) for letter in found]
    return Letters(letters=letters, counts=by_kind)


@router.post("/admin/mail/{letter_id}/send", status_code=202)
def send_mail(letter_id: LetterId, context: Ctx, caller: Who) -> SentAgain:
    """Try a mail or webhook that was given up once more."""
    require_admin(caller)
    with context.studio.engine.begin() as connection:
        if not rows.send_again(connection, letter_id):
            raise NotFound(f"no message {letter_id[:40]} was given up")
    return SentAgain(id=letter_id)


def families(context: Context) -> list[Family]:
    """Return the figures of the outbox."""
    with reading(context.studio.engine) as connection:
        counts: Mapping[tuple[str, str], int] = rows.counts(connection)
    return [
        Family(
            "text2art_messages",
            "Mails and webhooks by kind and state.",
            {(("kind", kind), ("state", state)): float(n) for (kind, state), n in counts.items()},
        )
    ]
