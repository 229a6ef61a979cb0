"""Draw the pictures of a test through the package's own front door, and keep them in a folder."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.quality.questions import Question, question_of
from text2art import __version__
from text2art.api import draw
from text2art.configfile import merge, parse_override
from text2art.errors import InputFileError, OutputError, SettingsError
from text2art.models import Models
from text2art.perceptors.ensemble import Ensemble
from text2art.settings import Settings

FORMAT = 1
RESULTS = "results.json"


@dataclass(frozen=True)
class Row:
    """One row of a table: settings under a name, checked before anything is drawn."""

    label: str
    settings: Mapping[str, Any]

    def checked(self) -> Settings:
        """Return the settings, with a stand-in for the prompt.

        Raises:
            SettingsError: one of them is unknown or out of range.
        """
        return Settings.of(prompts="a test", **self.settings)

    def guides(self, models: Models) -> Ensemble:
        """Return the perceptors that guide this row's pictures."""
        settings = self.checked()
        return models.ensemble(settings.perceptor, settings.preset)


@dataclass(frozen=True)
class Picture:
    """A drawn picture and what it was asked to be.

    Attributes:
        row: label of the row that it belongs to.
        question: what was asked.
        seed: what it was drawn with.
        score: how near its guides found it to its prompt, a mean cosine.
        seconds: time spent drawing.
        image: the picture.
    """

    row: str
    question: Question
    seed: int
    score: float
    seconds: float
    image: Image.Image


class Folder:
    """Pictures of a test with `results.json`: drawn once, judged as often as wanted."""

    def __init__(self, path: Path, made: dict[str, Any], pictures: list[dict[str, Any]]) -> None:
        self.path = path
        self.made = made
        self.pictures = pictures

    @classmethod
    def create(cls, path: Path, made: dict[str, Any], *, resume: bool) -> Folder:
        """Start a folder, or go on with one whose pictures were made in the very same way.

        Raises:
            OutputError: it cannot be written, or holds other results.
        """
        if (path / RESULTS).exists():
            there = cls.read(path)
            if not resume:
                raise OutputError(
                    f"{path} holds results already: name another folder, judge them again with "
                    "--from, or go on drawing with --resume"
                )
            if there.made != made:
                odd = [key for key in made if made[key] != there.made.get(key)]
                raise OutputError(f"{path} cannot be resumed: {', '.join(odd)} differ")
            return there
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path} cannot be made: {error.strerror}") from error
        return cls(path, made, [])

    @classmethod
    def read(cls, path: Path) -> Folder:
        """Read a folder.

        Raises:
            InputFileError: it holds no results, or broken ones.
        """
        try:
            values = json.loads((path / RESULTS).read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']!r}, this reads {FORMAT}")
            return cls(path, dict(values["made"]), list(values["pictures"]))
        except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise InputFileError(
                f"{path / RESULTS} cannot be read ({error}): it is written by rank with --out"
            ) from error

    def find(self, row: str, question: Question, seed: int) -> Picture | None:
        """Return a picture that is there already."""
        for entry in self.pictures:
            if (entry["row"], question_of(entry), entry["seed"]) == (row, question, seed):
                return self._load(entry)
        return None

    def add(self, picture: Picture) -> None:
        """Keep a picture; results are written at once, so that an interrupted test can go on."""
        question = picture.question
        name = f"{picture.row}-{question.kind}-{picture.seed}.png".replace("/", "_")
        entry: dict[str, Any] = {"row": picture.row, "prompt": question.prompt, "file": name}
        entry |= question.plain()
        entry |= {"seed": picture.seed, "score": picture.score, "seconds": picture.seconds}
        picture.image.save(self.path / name)
        self.pictures.append(entry)
        self.write()

    def write(self, **more: Any) -> None:
        """Write `results.json`, whole or not at all."""
        values = {"format": FORMAT, "made": self.made, "pictures": self.pictures, **more}
        part = self.path / f"{RESULTS}.part"
        part.write_text(json.dumps(values, indent=1), encoding="utf-8")
        part.replace(self.path / RESULTS)

    def __iter__(self) -> Iterator[Picture]:
        return (self._load(entry) for entry in self.pictures)

    def _load(self, entry: Mapping[str, Any]) -> Picture:
        try:
            with Image.open(self.path / entry["file"]) as image:
                image.load()
        except OSError as error:
            raise InputFileError(f"{self.path / entry['file']} cannot be read: {error}") from error
        question = question_of(dict(entry))
        return Picture(
            entry["row"], question, entry["seed"], entry["score"], entry["seconds"], image
        )


def overrides(words: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` words into settings.

    Raises:
        SettingsError: a word is not of that form.
    """
    layers = []
    for word in words:
        layer = parse_override(word)
        if layer is None:
            raise SettingsError(f"{word!r} is no setting: write key=value, as cuts=12")
        layers.append(layer)
    return dict(merge(*layers))


def variant(text: str, base: Mapping[str, Any]) -> Row:
    """Read "name: key=value key=value" into a row over common settings.

    Raises:
        SettingsError: it has no name, or what follows is no setting.
    """
    name, colon, words = text.partition(":")
    if not colon or not name.strip():
        raise SettingsError(f"variant {text!r} has no name: write 'name: key=value key=value'")
    return Row(name.strip(), merge(base, overrides(shlex.split(words))))


def how_made(rows: Sequence[Row], models: Models, seed: int, **more: Any) -> dict[str, Any]:
    """Return what the pictures follow from, as plain values."""
    described = []
    for row in rows:
        given = row.checked().given()
        del given["prompts"]
        guides = [[p.name, weight, p.digest] for p, weight in row.guides(models)]
        described.append({"label": row.label, "settings": given, "guides": guides})
    return {
        "version": __version__,
        "torch": str(torch.__version__),
        "device": models.runtime.description,
        "seed": seed,
        "rows": described,
        **more,
    }


def draw_all(
    rows: Sequence[Row],
    questions: Sequence[tuple[Question, int]],
    models: Models,
    folder: Folder | None = None,
) -> Iterator[Picture]:
    """Draw every question with its seed in every row; none is left out or drawn twice."""
    total, done, drawn, began = len(rows) * len(questions), 0, 0, time.perf_counter()
    for row in rows:
        for question, seed in questions:
            done += 1
            picture = folder.find(row.label, question, seed) if folder else None
            if picture is None:
                picture = draw_one(row, question, seed, models)
                drawn += 1
                if folder:
                    folder.add(picture)
                left = (time.perf_counter() - began) / drawn * (total - done) / 60
                say(f"{done}/{total} {row.label}: {picture.seconds:.1f} s, {left:.0f} min left")
            yield picture


def draw_one(row: Row, question: Question, seed: int, models: Models) -> Picture:
    """Draw one question as a user would."""
    settings = {**row.settings, "seed": seed, "display_every": 0}
    result = draw(question.prompt, models=models, **settings)
    return Picture(row.label, question, seed, result.score, result.seconds, result.image)


def say(line: str) -> None:
    """Report progress where it does not mix with the tables."""
    print(line, file=sys.stderr, flush=True)
