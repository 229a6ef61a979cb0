"""The addresses that mails and webhooks point to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from text2art.studio.config import StudioConfig


@dataclass(frozen=True)
class Links:
    """Addresses of a studio as others reach it.

    Attributes:
        base: `public_url`, without a slash at its end.
    """

    base: str

    @classmethod
    def of(cls, config: StudioConfig) -> Links:
        """Take the address that the owner gave, else the one that is listened on."""
        host = f"[{config.host}]" if ":" in config.host else config.host
        return cls(config.public_url or f"http://{host}:{config.port}")

    def page(self, job_id: str) -> str:
        """Return the page of a job."""
        return f"{self.base}/jobs/{quote(job_id, safe='')}"

    def api(self, job_id: str) -> str:
        """Return where a job can be asked for."""
        return f"{self.base}/api/v1/jobs/{quote(job_id, safe='')}"

    def result(self, job_id: str, extension: str) -> str:
        """Return where a finished file is."""
        return f"{self.api(job_id)}/result.{quote(extension, safe='')}"

    def confirm(self, token: str) -> str:
        """Return the page that asks whether an address may be written to."""
        return f"{self.base}/mail/confirm?token={quote(token, safe='')}"

    def unsubscribe(self, token: str) -> str:
        """Return the page (GET) and the one-click address (POST, RFC 8058) to be left alone."""
        return f"{self.base}/mail/unsubscribe?token={quote(token, safe='')}"
