"""What is asked: prompts, and the choices that differ from them in one attribute alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch

from text2art.errors import SettingsError
from text2art.runtime import stream
from training.subjects import plural
from training.world import BACKGROUND_NAMES, COLOR_NAMES, SCENES, STYLE_NAMES, STYLES

T = TypeVar("T")
Choices = Mapping[str, Sequence[str]]  # the values that are known, by kind of question

KINDS = ("subject", "pair", "color", "background", "count", "style")
CHOSEN_OF = {"pair": "subject"}  # what else there is to choose from
# A text is read in three wordings: the judge's taste for one of them must not decide.
WORDINGS = ("{}", "a picture of {}", "an image of {}")
NO_STYLE = STYLE_NAMES[0]
COUNTS = {"1": "a", "2": "two", "3": "three", "4": "four"}
ASKED_COUNTS = ("1", "2", "3")  # four stays a wrong choice
# Subjects that are themselves in any color; only those the perceptors know are used.
RECOLORABLE = (
    "star", "heart", "circle", "square", "triangle", "diamond", "cross", "ring", "hexagon", "arrow",
    "moon", "apple", "pear", "mushroom", "cat", "dog", "fish", "bird", "butterfly", "octopus",
    "flower", "tulip", "leaf", "house", "tent", "car", "bus", "truck", "sailboat", "airplane",
    "rocket", "balloon", "umbrella", "key", "crown", "bell", "book", "guitar", "gift", "hat",
    "ball", "cup",
)  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """The words around a subject, the same for the true one and all others."""

    colored: str
    plain: tuple[str, str]


PROOF = Palette(
    "a red {} on a blue background", ("a {} on a white background", "a {} on a blue background")
)
# What defaults are chosen by must not be what they are then praised for.
TUNING = Palette(
    "a yellow {} on a purple background",
    ("a {} on a gray background", "a {} on a green background"),
)


@dataclass(frozen=True)
class Question:
    """One prompt and what is asked about its picture.

    Attributes:
        kind: one of `KINDS`, the attribute in which the choices differ.
        subject: what is drawn, of a pair the first.
        form: the prompt with {} for that attribute.
        truth: the attribute's true value.
    """

    kind: str
    subject: str
    form: str
    truth: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """What is drawn: one subject, of a pair two."""
        if self.kind != "pair":
            return (self.subject,)
        other = self.form.removeprefix("a ").partition(" and a ")[2].rpartition(" on a ")[0]
        return (self.subject, self.truth if other == "{}" else other)

    @property
    def prompt(self) -> str:
        """The words that are drawn."""
        return self.texts(self.truth)[0]

    def texts(self, value: str) -> tuple[str, ...]:
        """Return the wordings in which the prompt has another value of the attribute."""
        if self.kind == "style" and value in STYLES:
            return tuple(template.format(self.form) for template in _whole(STYLES[value]))
        phrase = article(self.form.format(_said(self, value)))
        return tuple(wording.format(phrase) for wording in WORDINGS)

    def values(self, choices: Choices) -> Sequence[str]:
        """Return all choices of the asked attribute, the true one among them.

        Raises:
            SettingsError: the true one is not among them.
        """
        values = choices[CHOSEN_OF.get(self.kind, self.kind)]
        if self.truth not in values:
            raise SettingsError(
                f"{self.kind} {self.truth!r} of {self.prompt!r} is unknown to this judge: use the "
                "judge that the pictures were drawn for, or draw them again"
            )
        return values

    def plain(self) -> dict[str, str]:
        """Return the question as plain values."""
        return asdict(self)


def question_of(values: dict[str, Any]) -> Question:
    """Read a question from plain values; more keys than its own are ignored."""
    return Question(*(str(values[key]) for key in ("kind", "subject", "form", "truth")))


def choices_of(subjects: Sequence[str], words: Collection[str]) -> dict[str, list[str]]:
    """Return what a perceptor can be asked for: its subjects, and values in words that it knows.

    What `training` can draw today may be more than a perceptor was taught when it was made.
    """

    def known(text: str) -> bool:
        return set(re.findall(r"[a-z0-9]+", text)) <= {*words, "a", "an"}

    return {
        "subject": list(subjects),
        "color": [name for name in COLOR_NAMES if known(name)],
        "background": [name for name in BACKGROUND_NAMES if known(ground(name))],
        "count": list(COUNTS),
        "style": [
            name for name in STYLE_NAMES
            if name == NO_STYLE or known(_whole(STYLES[name])[0].replace("{}", ""))
        ],
    }  # fmt: skip


def about_subjects(
    subjects: Sequence[str], count: int, seed: int, palette: Palette = PROOF
) -> list[Question]:
    """Ask for `count` of the subjects, drawn by the seed, in the order of the list."""
    picked = sorted(sample(range(len(subjects)), count, seed, "subjects"))
    questions = []
    for i in picked:
        name = subjects[i]
        form = palette.colored if name in RECOLORABLE else palette.plain[i % 2]
        questions.append(Question("subject", name, form, name))
    return questions


def about_pairs(subjects: Sequence[str], count: int, seed: int) -> list[Question]:
    """Ask `count` times for two subjects, by turns which of them is which: the other one is told.

    Every subject is in one pair until all have been.
    """
    each = len(subjects) // 2  # pairs of one order; of an odd number the last one is left out
    orders = [sample(subjects, 2 * each, seed, f"pairs {n}") for n in range(1 + count // each)]
    pairs = [pair for order in orders for pair in zip(order[::2], order[1::2], strict=True)]
    questions = []
    for n, (first, second) in enumerate(pairs[:count]):
        behind = _on(("white", "blue")[n % 2])
        form, truth = (f"a {{}} and a {second}", first), (f"a {first} and a {{}}", second)
        asked, name = (form, truth)[n % 2]
        questions.append(Question("pair", first, f"{asked} {behind}", name))
    return questions


def about_attribute(kind: str, choices: Choices, count: int, seed: int) -> list[Question]:
    """Ask `count` times for an attribute: every value as often as any other, in drawn order."""
    asked = ASKED_COUNTS if kind == "count" else [v for v in choices[kind] if v != NO_STYLE]
    values = sample(asked, len(asked), seed, kind)
    subjects = choices["subject"]
    any_color = [name for name in subjects if name in RECOLORABLE] or list(subjects)
    pool = any_color if kind in ("color", "count") else list(subjects)
    pool = sample(pool, len(pool), seed, f"{kind} of")
    questions = []
    for i in range(count):
        name, value = pool[i % len(pool)], values[i % len(values)]
        questions.append(Question(kind, name, _form(kind, name, value, i), value))
    return questions


def sample(items: Sequence[T], count: int, seed: int, purpose: str) -> list[T]:
    """Draw `count` different items, in drawn order."""
    order = torch.randperm(len(items), generator=stream(seed, f"quality/{purpose}"))
    return [items[i] for i in order[:count].tolist()]


def article(text: str) -> str:
    """Say "an" before vowels ("a red apple, a orange" -> "a red apple, an orange")."""
    return re.sub(r"\ba (?!uni|ufo|uku)(?=[aeiou])", "an ", text)


def ground(name: str) -> str:
    """Return the words for a background that are true of no other one.

    "in the sea" is said of pictures on it and under it: such words cannot tell them apart.
    """
    if name in COLOR_NAMES:
        return f"on a {name} background"
    taken = {words for other, said in SCENES.items() if other != name for words in said[0]}
    return next((words for words in SCENES[name][0] if words not in taken), SCENES[name][0][0])


def _form(kind: str, name: str, value: str, place: int) -> str:
    if kind == "background":
        return f"a {name} {{}}"
    if kind == "style":
        return article(f"a {name}")
    backgrounds = [color for color in ("white", "blue") if color != value]
    behind = backgrounds[place % len(backgrounds)]
    return f"a {{}} {name} on a {behind} background" if kind == "color" else f"{{}} {_on(behind)}"


def _on(color: str) -> str:
    return f"on a {color} background"


def _said(question: Question, value: str) -> str:
    if question.kind == "background":
        return ground(value)
    if question.kind == "count":
        noun = question.subject if value == "1" else plural(question.subject)
        return f"{COUNTS[value]} {noun}"
    return value


def _whole(templates: Sequence[str]) -> list[str]:
    """Return up to three wordings of a style into which "a cat" fits, article and all."""
    fitting = [t for t in dict.fromkeys(templates) if t.startswith("{}") or " of {}" in t]
    return (fitting or list(templates))[: len(WORDINGS)]
