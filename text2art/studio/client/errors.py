"""What a studio answers instead of what was asked for, and that it does not answer at all."""

from __future__ import annotations

from text2art.errors import Text2ArtError


class StudioError(Text2ArtError):
    """A studio's own words on why not.

    Attributes:
        status: of HTTP; 0 where there was no answer.
        error: one sentence.
        hint: what to do about it, or "".
        field: the setting that is meant, or "".
        source, at: the text that cannot be read, or "", and the index of the fault in it.
    """

    def __init__(
        self,
        error: str,
        hint: str = "",
        *,
        status: int = 0,
        field: str = "",
        source: str = "",
        at: int = 0,
    ) -> None:
        parts = (error.rstrip(". ") if hint else error, hint)
        super().__init__(". ".join(part for part in parts if part))
        self.error, self.hint, self.status, self.field = error, hint, status, field
        self.source, self.at = source, at


class StudioAway(StudioError):
    """Nobody answers at present, or the studio asks to wait: the same may work later.

    Attributes:
        wait: seconds that the studio asks to wait for; 0 where it says nothing.
    """

    def __init__(self, error: str, hint: str = "", *, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(error, hint, status=status)
        self.wait = wait
