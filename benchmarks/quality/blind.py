"""Which subjects a blind sheet shows: in fours of one palette, so that color names none of them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quality.questions import Question, about_pairs, sample
from text2art.errors import SettingsError

GROUP = 4
_PAINTS = (
    ("red", "blue"), ("yellow", "purple"), ("green", "white"), ("blue", "yellow"),
    ("white", "green"), ("purple", "orange"), ("orange", "gray"), ("pink", "black"),
)  # fmt: skip
# Subjects of much the same natural color, and a background that is none of theirs.
_NATURAL = (
    ("blue", ("apple", "strawberry", "cherry", "ladybug", "crab", "heart", "rose", "fire")),
    ("green", ("fox", "pumpkin", "carrot", "tiger", "lion", "octopus", "cat", "ball")),
    ("purple", ("banana", "lemon", "chick", "sun", "star", "moon", "cheese", "corn", "bell", "key",
                "crown", "trophy", "lightning", "smiley", "sunflower", "pear")),
    ("white", ("frog", "turtle", "cactus", "tree", "pine tree", "palm tree", "clover", "dinosaur",
               "dragon", "snake", "leaf", "grapes")),
    ("yellow", ("whale", "dolphin", "water drop", "gem", "bird", "fish", "shark", "butterfly")),
    ("cyan", ("bear", "monkey", "horse", "owl", "dog", "bread", "guitar", "eagle")),
    ("blue", ("ghost", "sheep", "cloud", "snowman", "skull", "egg", "rabbit", "unicorn")),
    ("pink", ("elephant", "mouse", "wolf", "anchor", "bicycle", "spider", "bat", "ufo")),
    ("black", ("pig", "flower", "tulip", "donut")),
)  # fmt: skip


def painted(subjects: Sequence[str], count: int, seed: int) -> list[Question]:
    """Choose any subjects and paint each four in one color; in drawn order, the fours parted."""
    names = sample(subjects, count, seed, "blind")
    paints = sample(_PAINTS, len(_PAINTS), seed, "blind palettes")
    questions = []
    for i, name in enumerate(names):
        color, behind = paints[i // GROUP % len(paints)]
        questions.append(_question(f"a {color} {{}} on a {behind} background", name))
    return sample(questions, count, seed, "blind order")


def natural(subjects: Sequence[str], count: int, seed: int) -> list[Question]:
    """Choose fours of much the same natural color, each four on one background.

    Raises:
        SettingsError: fewer than `count` of the known subjects come in such fours.
    """
    fours: list[list[Question]] = []
    for place, (behind, names) in enumerate(_NATURAL):
        known = [name for name in names if name in subjects]
        mixed = sample(known, len(known), seed, f"blind {place}")
        asked = [_question(f"a {{}} on a {behind} background", name) for name in mixed]
        whole = len(asked) - len(asked) % GROUP
        fours += [asked[i : i + GROUP] for i in range(0, whole, GROUP)]
    fours = sample(fours, len(fours), seed, "blind fours")
    questions = [question for four in fours for question in four][:count]
    if len(questions) < count:
        raise SettingsError(f"--natural can ask for {len(questions)} subjects, not for {count}")
    return sample(questions, count, seed, "blind order")


def pairs(subjects: Sequence[str], count: int, seed: int) -> list[Question]:
    """Choose two subjects for each picture, none twice.

    Raises:
        SettingsError: there are not enough subjects for that.
    """
    if 2 * count > len(subjects):
        raise SettingsError(f"--pairs can ask for {len(subjects) // 2} pictures, not for {count}")
    return about_pairs(subjects, count, seed)


def _question(form: str, name: str) -> Question:
    return Question("subject", name, form, name)
