"""What becomes of a message that could not be delivered."""

from __future__ import annotations

from text2art.errors import Text2ArtError


class Undelivered(Text2ArtError):
    """A message did not get there.

    Attributes:
        reason: one line that names no address and no secret.
        final: whether trying again is of no use.
        too_large: whether a smaller message may pass.
        retry_after: seconds that the other side asked us to wait, 0 where it did not.
    """

    def __init__(
        self, reason: str, *, final: bool, too_large: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.reason, self.final, self.too_large = reason, final, too_large
        self.retry_after = retry_after


def one_line(text: object, longest: int = 200) -> str:
    """Return a stranger's text as one line of bounded length."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[: 4 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."
