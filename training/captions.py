"""Captions composed from attributes, the words they use, and a fast exact tokenizer for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from open_clip import SimpleTokenizer

from training.subjects import SUBJECTS, plural
from training.world import (
    ANY_STYLE,
    COLOR_WORDS,
    COUNT_WORDS,
    JOINING_WORDS,
    NOISE_WORDS,
    PLACE_WORDS,
    PLAIN_WORDS,
    PLAINS,
    RELATION_WORDS,
    SCENES,
    SIZE_WORDS,
    STYLES,
)

CONTEXT = 32
NOTHING = len(SUBJECTS)  # a background alone
NOISE = NOTHING + 1
UNKNOWN = -1  # a row of tokens: the id of any word outside the vocabulary
WORDS = 16  # random numbers that a caption takes

# Lists by number: captions are written tens of thousands of times a second.
_NOUNS = [
    ((s.name, *s.synonyms), tuple(plural(noun) for noun in (s.name, *s.synonyms)))
    for s in SUBJECTS
]  # fmt: skip
_COLOR_LISTS = list(COLOR_WORDS.values())
_SIZE_LISTS = list(SIZE_WORDS.values())
_PLACE_LISTS = list(PLACE_WORDS.values())
_RELATION_LISTS = list(RELATION_WORDS.values())
_SCENE_LISTS = list(SCENES.values())
_STYLE_LISTS = list(STYLES.values())
_ALONE_WORDS = ("a {} background", "plain {}", "{}", "a {} canvas")
_PAIR_WORDS = ("a", "a", "a", "the")  # before each of two things
# Nouns that one thing is called by without an article ("fries", "fire").
_BARE = frozenset((
    "french fries", "fries", "chips", "popcorn", "sushi", "scissors", "glasses", "spectacles",
    "eyeglasses", "broccoli", "bread", "lightning", "fire", "flames", "cherries", "grapes",
    "mountains", "leaves", "cacti", "wine", "corn", "maize", "cheese",
))  # fmt: skip
_LIKE_YOU = ("a uni", "a ukulele")  # a vowel to the eye only


@dataclass(slots=True)
class Claim:
    """What a caption asserts, in the order of `world.ATTRIBUTES`; -1 where it asserts nothing."""

    subject: int = -1
    color: int = -1
    count: int = -1
    background: int = -1
    style: int = -1
    second: int = -1
    relation: int = -1
    second_color: int = -1
    size: int = -1
    place: int = -1

    def row(self) -> list[int]:
        """Return the claim as a row of the table of attributes."""
        return [
            self.subject, self.color, self.count, self.background, self.style,
            self.second, self.relation, self.second_color, self.size, self.place,
        ]  # fmt: skip


def _pick(options: Sequence[str], u: float) -> str:
    return options[int(u * len(options))]


def _article(phrase: str) -> str:
    """Say "an" before a vowel ("a orange cat" -> "an orange cat")."""
    if phrase.startswith("a ") and phrase[2] in "aeiou" and not phrase.startswith(_LIKE_YOU):
        return "an " + phrase[2:]
    return phrase


def _noun(
    words: Sequence[str], subject: int, count: int, color: int, size: int, u: Sequence[float]
) -> str:
    """Name things after one of the words that count them; `u` are five numbers."""
    nouns = _NOUNS[subject][count > 1]
    if u[0] < 0.35:
        noun = nouns[1 + int(u[1] * (len(nouns) - 1))] if len(nouns) > 1 else nouns[0]
    else:
        noun = nouns[0]
    word = _pick(words, u[2])
    if count == 1 and word != "the" and noun in _BARE:
        word = ""
    if color >= 0:
        noun = _pick(_COLOR_LISTS[color], u[3]) + " " + noun
    if size >= 0:
        noun = _pick(_SIZE_LISTS[size], u[4]) + " " + noun
    return _article(f"{word} {noun}") if word else noun


def _styled(template: str, phrase: str) -> str:
    """Put a phrase into a style's template, without doubling the article ("a neon a cat")."""
    head = template[: template.index("{}")]
    if head and " of " not in f" {head}":
        bare = phrase.removeprefix("a ").removeprefix("an ").removeprefix("the ")
        if bare == phrase:  # no article to replace: "two stars"
            template = template.removeprefix("a ")
        return _article(template.format(bare))
    return template.format(phrase)


def _background_alone(background: int, u: Sequence[float]) -> str:
    if background < PLAINS:
        color = _pick(_COLOR_LISTS[background], u[0])
        return _article(_pick(_ALONE_WORDS, u[1]).format(color))
    return _pick(_SCENE_LISTS[background - PLAINS][1], u[0])


def _behind(background: int, u: float, v: float) -> str:
    """Return what follows the things: " on a red background" or " at night"."""
    if background >= PLAINS:
        return " " + _pick(_SCENE_LISTS[background - PLAINS][0], u)
    return _before_plain(_pick(PLAIN_WORDS, v), _pick(_COLOR_LISTS[background], u))


@cache
def _before_plain(template: str, color: str) -> str:
    if color[0] in "aeiou":
        template = template.replace("a {}", "an {}")
    phrase = template.format(color)
    return phrase if phrase[0] == "," else " " + phrase


def write(claim: Claim, u: Sequence[float]) -> str:
    """Compose a caption of a claim; `u` are WORDS numbers in [0, 1) that pick the words."""
    if claim.subject == NOISE:
        return _pick(NOISE_WORDS, u[0])
    if claim.subject in (NOTHING, -1):
        text = _background_alone(claim.background, u)
    else:
        words = COUNT_WORDS[claim.count]
        if claim.second >= 0 and claim.count == 1:
            words = _PAIR_WORDS
        text = _noun(words, claim.subject, claim.count, claim.color, claim.size, u[:5])
        if claim.second >= 0:
            joining = JOINING_WORDS if claim.relation < 0 else _RELATION_LISTS[claim.relation]
            other = _noun(_PAIR_WORDS, claim.second, 1, claim.second_color, -1, u[10:15])
            text = f"{text} {_pick(joining, u[15])} {other}"
        if claim.place >= 0:
            text += " " + _pick(_PLACE_LISTS[claim.place], u[15])
        if claim.background >= 0:
            text += _behind(claim.background, u[5], u[6])
    if claim.style > 0:
        return _styled(_pick(_STYLE_LISTS[claim.style - 1], u[7]), text)
    if u[8] < 0.25:
        return _styled(_pick(ANY_STYLE, u[9]), text)
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
    phrases = [noun for forms in _NOUNS for nouns in forms for noun in nouns]
    for table in (COLOR_WORDS, SIZE_WORDS, PLACE_WORDS, RELATION_WORDS, STYLES):
        for words in table.values():
            phrases += words
    for words in COUNT_WORDS.values():
        phrases += words
    for where, alone in SCENES.values():
        phrases += [*where, *alone]
    phrases += [*PLAIN_WORDS, *ANY_STYLE, *NOISE_WORDS, *JOINING_WORDS, *_ALONE_WORDS, "an"]
    whole = {word for phrase in phrases for word in phrase.lower().split()}
    parts = {part for word in whole for part in word.split("-")}
    return sorted({word.strip(",.#{}") for word in whole | parts} - {""})


def known_tokens(tokenizer: WordTokenizer) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the sorted ids of all tokens that captions use, with padding, start and end."""
    ids = {0, tokenizer.start, tokenizer.end}
    for word in vocabulary():
        ids.update(tokenizer.clip.encode(word))
    ids.update(tokenizer.clip.encode(", # ."))
    return np.array(sorted(ids), dtype=np.int64)
