"""What routes work with, and how they ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from text2art.studio.api.callers import Caller, Callers
from text2art.studio.api.errors import Refusal
from text2art.studio.api.hub import Hub
from text2art.studio.api.metrics import Counted
from text2art.studio.config import StudioConfig
from text2art.studio.mail.addresses import AddressBook
from text2art.studio.mail.outbox import Delivery
from text2art.studio.net import Web
from text2art.studio.service import Studio
from text2art.studio.uploads import Uploads


@dataclass
class Context:
    """The open studio."""

    config: StudioConfig
    studio: Studio
    callers: Callers
    uploads: Uploads
    web: Web
    hub: Hub
    book: AddressBook
    delivery: Delivery
    started: float
    counted: Counted


def context_of(request: Request) -> Context:
    """Return the open studio."""
    context: Context = request.app.state.context
    return context


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    caller: Caller = request.scope["caller"]
    return caller


Ctx = Annotated[Context, Depends(context_of)]
Who = Annotated[Caller, Depends(caller_of)]


def require_admin(caller: Caller) -> None:
    """Make sure that the caller is the administrator.

    Raises:
        Refusal: they are not.
    """
    if not caller.admin:
        raise Refusal(403, "this is for the administrator", "Send admin_key as the API key.")
