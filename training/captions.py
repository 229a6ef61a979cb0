"""Captions composed from attributes, the words they use, and a fast exact tokenizer for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from open_clip import SimpleTokenizer

from training.subjects import SUBJECTS, plural
from training.world import (
    ANY_STYLE,
    COLOR_NAMES,
    COLOR_WORDS,
    COUNT_WORDS,
    NOISE_WORDS,
    PLAIN_WORDS,
    PLAINS,
    SCENE_NAMES,
    SCENES,
    STYLE_NAMES,
    STYLES,
)

CONTEXT = 32
NOTHING = len(SUBJECTS)  # a background alone
NOISE = NOTHING + 1
UNKNOWN = -1  # a row of tokens: the id of any word outside the vocabulary


@dataclass(frozen=True)
class Claim:
    """What a caption asserts; -1 where it asserts nothing."""

    subject: int = -1
    color: int = -1
    count: int = -1
    background: int = -1
    style: int = -1

    def row(self) -> tuple[int, int, int, int, int]:
        """Return the claim as a row of the attribute table."""
        return (self.subject, self.color, self.count, self.background, self.style)


def _pick(options: Sequence[str], u: float) -> str:
    return options[int(u * len(options))]


def _article(phrase: str) -> str:
    """Say "an" before a vowel ("a orange cat" -> "an orange cat")."""
    if phrase.startswith("a ") and phrase[2:3] in "aeiou" and not phrase.startswith("a uni"):
        return "an " + phrase[2:]
    return phrase


def _noun(claim: Claim, u: Sequence[float]) -> str:
    subject = SUBJECTS[claim.subject]
    noun = subject.name
    if subject.synonyms and u[0] < 0.35:
        noun = _pick(subject.synonyms, u[1])
    words = [_pick(COUNT_WORDS[claim.count], u[2])]
    if claim.color >= 0:
        words.append(_pick(COLOR_WORDS[COLOR_NAMES[claim.color]], u[3]))
    words.append(plural(noun) if claim.count > 1 else noun)
    return _article(" ".join(w for w in words if w))


def _styled(template: str, phrase: str) -> str:
    """Put a phrase into a style's template, without doubling the article ("a neon a cat")."""
    head = template[: template.index("{}")]
    if head and " of " not in f" {head}":
        bare = phrase.removeprefix("a ").removeprefix("an ").removeprefix("the ")
        if bare == phrase:  # no article to replace: "two stars"
            template = template.removeprefix("a ")
        return _article(template.format(bare))
    return template.format(phrase)


def write(claim: Claim, u: Sequence[float]) -> str:
    """Compose a caption of a claim; `u` are nine numbers in [0, 1) that pick the words."""
    if claim.subject == NOISE:
        return _pick(NOISE_WORDS, u[0])
    plain = 0 <= claim.background < PLAINS
    if claim.subject in (NOTHING, -1):
        if plain:
            color = _pick(COLOR_WORDS[COLOR_NAMES[claim.background]], u[0])
            text = _article(
                _pick(("a {} background", "plain {}", "{}", "a {} canvas"), u[1]).format(color)
            )
        else:
            text = _pick(SCENES[SCENE_NAMES[claim.background - PLAINS]][1], u[0])
    else:
        text = _noun(claim, u)
        if plain:
            color = _pick(COLOR_WORDS[COLOR_NAMES[claim.background]], u[4])
            text += " " + _pick(PLAIN_WORDS, u[5]).format(color)
            text = text.replace(" ,", ",").replace(" a orange", " an orange")
        elif claim.background >= 0:
            text += " " + _pick(SCENES[SCENE_NAMES[claim.background - PLAINS]][0], u[4])
    if claim.style > 0:
        return _styled(_pick(STYLES[STYLE_NAMES[claim.style]], u[6]), text)
    if u[7] < 0.25:
        return _styled(_pick(ANY_STYLE, u[8]), text)
    return text


class WordTokenizer:
    """open_clip's byte-pair tokenizer, remembered word by word (its pattern never joins words)."""

    def __init__(self) -> None:
        self.clip: Any = SimpleTokenizer(context_length=CONTEXT)
        self.start, self.end = int(self.clip.sot_token_id), int(self.clip.eot_token_id)
        self._word = lru_cache(maxsize=None)(lambda word: tuple(self.clip.encode(word)))

    def ids(self, text: str) -> list[int]:
        """Return the token ids with start and end, at most CONTEXT of them."""
        inner = [i for word in text.lower().split() for i in self._word(word)]
        return [self.start, *inner[: CONTEXT - 2], self.end]


def vocabulary() -> list[str]:
    """Return every word a caption can hold, lower case, sorted."""
    phrases: list[str] = [s.name for s in SUBJECTS]
    for subject in SUBJECTS:
        for noun in (subject.name, *subject.synonyms):
            phrases += [noun, plural(noun)]
    for words in (*COLOR_WORDS.values(), *COUNT_WORDS.values(), *STYLES.values()):
        phrases += words
    for where, alone in SCENES.values():
        phrases += [*where, *alone]
    phrases += [*PLAIN_WORDS, *ANY_STYLE, *NOISE_WORDS, "a {} canvas", "an"]
    words_seen = {w.strip(",.#{}") for phrase in phrases for w in phrase.lower().split()}
    words_seen |= {w for phrase in phrases for w in phrase.lower().replace("-", " ").split()}
    return sorted({w.strip(",.#{}") for w in words_seen} - {""})


def known_tokens(tokenizer: WordTokenizer) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the sorted ids of all tokens that captions use, with padding, start and end."""
    ids = {0, tokenizer.start, tokenizer.end}
    for word in vocabulary():
        ids.update(tokenizer.clip.encode(word))
    ids.update(tokenizer.clip.encode(", # ."))
    return np.array(sorted(ids), dtype=np.int64)
