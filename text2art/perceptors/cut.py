"""What a prompt loses when it is longer than a text tower can read."""

from __future__ import annotations

from typing import Any, Protocol

_SHOWN = 80  # characters of the loss that are quoted


class Tokenizer(Protocol):
    """CLIP's byte-pair tokenizer: ours (`nets.byte_pairs`) or open_clip's."""

    @property
    def decoder(self) -> Any:
        """The letters of each token by its id."""
        ...

    def encode(self, text: str, /) -> list[int]:
        """Return the ids of a text's tokens."""
        ...

    def decode(self, tokens: list[int], /) -> str:
        """Return the text of ids."""
        ...


def cut_notice(tokenizer: Tokenizer, text: str, context_length: int, who: str) -> list[str]:
    """Return a notice that quotes what does not fit, or nothing when all of it does.

    Args:
        tokenizer: what reads them.
        text: the words of a prompt.
        context_length: tokens the text tower reads, start and end marks included.
        who: name of the perceptor.
    """
    tokens: list[int] = tokenizer.encode(text)
    kept = context_length - 2
    if len(tokens) <= kept:
        return []
    start = kept
    while start > 0 and not tokenizer.decoder[tokens[start - 1]].endswith("</w>"):
        start -= 1  # a word that is torn apart is quoted whole
    lost = tokenizer.decode(tokens[start:]).strip()
    quoted = lost if len(lost) <= _SHOWN else lost[: _SHOWN - 3] + "..."
    return [
        f"{who} reads {kept} tokens of a prompt, not the {len(tokens)} of this: lost {quoted!r}"
    ]
