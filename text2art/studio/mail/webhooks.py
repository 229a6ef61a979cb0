"""Webhooks: a job's JSON, posted to the address that its owner gave, signed.

Signatures are those of standardwebhooks.com: receivers check `webhook-id`, `webhook-timestamp` and
`webhook-signature` with any of its libraries and the studio's secret (`whsec_...`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from standardwebhooks import Webhook

from text2art.errors import InputFileError, SettingsError
from text2art.studio.mail.failures import Undelivered, one_line
from text2art.studio.net import Unreachable, Web
from text2art.studio.urls import UrlRefused

_PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64  # of a secret, says the standard
_LATER = (408, 409, 423, 425, 429)  # of 4xx: the request is good, the moment is not
_DIGITS = re.compile(r"[0-9]{1,6}\Z")


def new_secret() -> str:
    """Return a secret to sign with."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> str:
    """Return a secret that can be signed with.

    Raises:
        SettingsError: it is none.
    """
    encoded = secret.strip().removeprefix(_PREFIX)
    try:
        size = len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not _FEWEST_BYTES <= size <= _MOST_BYTES:
        raise SettingsError(
            f"webhook_secret must be whsec_ and {_FEWEST_BYTES} to {_MOST_BYTES} bytes in base64, "
            "as `text2art studio` makes it when none is given"
        )
    return _PREFIX + encoded


def body_of(job: Mapping[str, Any]) -> bytes:
    """Return a job's JSON as it is sent, the same every time."""
    return json.dumps(job, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


class WebhookSender:
    """Posts signed bodies."""

    def __init__(self, web: Web, secret: str, *, seconds: float = 20.0) -> None:
        self._web, self._seconds = web, seconds
        self._signer = Webhook(check_secret(secret))

    async def send(self, url: str, event_id: str, body: bytes, when: float) -> None:
        """Post one event.

        Args:
            url: where to; it is judged anew each time.
            event_id: the same whenever the event is sent again, so that receivers can tell.
            body: JSON.
            when: seconds since 1970, of this try.

        Raises:
            Undelivered: it was not taken (anything but 2xx; redirects are not followed).
        """
        moment = datetime.fromtimestamp(int(when), timezone.utc)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(when)),
            "webhook-signature": self._signer.sign(event_id, moment, body.decode()),
        }
        try:
            answer = await self._web.post(url, body, headers, seconds=self._seconds)
        except Unreachable as error:
            raise Undelivered(_reason(error, url), final=False) from error
        except (UrlRefused, InputFileError) as error:
            raise Undelivered(_reason(error, url), final=True) from error
        if 200 <= answer.status < 300:
            return
        final = 300 <= answer.status < 500 and answer.status not in _LATER
        wait = answer.headers.get("retry-after", "")
        raise Undelivered(
            f"the server says {answer.status}",
            final=final,
            retry_after=float(wait) if _DIGITS.match(wait) else 0.0,
        )


def _reason(error: Exception, url: str) -> str:
    """Return what went wrong without the URL, which may hold a secret of its owner."""
    return one_line(str(error).replace(repr(url), "the URL").replace(url, "the URL"))
