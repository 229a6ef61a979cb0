"""What a prompt loses when it is longer than a text tower can read."""

from __future__ import annotations

import functools

from open_clip import SimpleTokenizer

_SHOWN = 80  # characters of the loss that are quoted


@functools.cache
def byte_pairs() -> SimpleTokenizer:
    """Return CLIP's tokenizer; reading its tables takes a while, and all read the same."""
    return SimpleTokenizer()


def cut_notice(tokenizer: SimpleTokenizer, text: str, context_length: int, who: str) -> list[str]:
    """Return a notice that quotes what does not fit, or nothing when all of it does.

    Args:
        tokenizer: CLIP's byte-pair tokenizer.
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
