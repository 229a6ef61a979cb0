"""Prompts: what can be asked for, and how it is written. Free of torch."""

from text2art.prompts.grammar import (
    MAX_CHARACTERS,
    MAX_PROMPTS,
    Prompt,
    number_notices,
    parse_prompts,
    parse_story,
)
from text2art.prompts.wildcards import expand

__all__ = [
    "MAX_CHARACTERS",
    "MAX_PROMPTS",
    "Prompt",
    "expand",
    "number_notices",
    "parse_prompts",
    "parse_story",
]
