"""Blind naming: a sheet of numbered pictures, the names in another order, and a sealed key."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.quality.blind import natural, painted, pairs
from benchmarks.quality.drawing import Row, draw_one, how_made, overrides, say
from benchmarks.quality.judge import common, guides_taught, taught
from benchmarks.quality.questions import sample
from benchmarks.quality.stats import Share
from text2art import registry
from text2art.configfile import merge
from text2art.errors import InputFileError, OutputError, SettingsError, did_you_mean
from text2art.media.sheet import Tile, contact_sheet, save_sheet
from text2art.models import Models
from text2art.runtime import pick
from text2art.weights import catalog

UNKNOWN = "unknown"
SHEET, NAMES, KEY = "sheet.png", "names.txt", "key.json"
_COLUMNS, _SIDE = 6, 192
_LARGEST = 50_000_000  # bytes: the sheet keeps all its colors, fewer would be another picture
_LINE = re.compile(r"\s*(\d+)\s*[:.)]\s*(.*?)\s*\Z")


def sheet(given: argparse.Namespace) -> None:
    """Draw different subjects, four per palette, and write what a blind viewer needs."""
    registry.find("drawers", given.drawer)
    settings = merge({"quality": given.quality}, overrides(given.set), {"drawer": given.drawer})
    row = Row(given.drawer, settings)
    models = Models(pick(given.device))
    # Guides that were taught no list of subjects know the starter's words, too.
    known = guides_taught(row.guides(models)) or [taught(catalog.starter_folder())]
    subjects = common(known)["subject"]
    if not 2 <= given.count <= len(subjects):
        raise SettingsError(f"--count {given.count}: 2 to {len(subjects)} subjects can be asked")
    choose = pairs if given.pairs else natural if given.natural else painted
    questions = choose(subjects, given.count, given.seed)
    _prepare(given.out)
    tiles = []
    for number, question in enumerate(questions, start=1):
        picture = draw_one(row, question, given.seed + number - 1, models)
        tiles.append(Tile(picture.image, str(number)))
        # Never the prompt: who looks at the sheet may have watched it being drawn.
        say(f"{number}/{len(questions)}: {picture.seconds:.1f} s")
    truth = {str(n): question.subjects for n, question in enumerate(questions, start=1)}
    sorted_names = sorted(name for shown in truth.values() for name in shown)
    names = sample(sorted_names, len(sorted_names), given.seed, "blind names")
    prompts = {str(n): question.prompt for n, question in enumerate(questions, start=1)}
    made = how_made([row], models, given.seed)
    seal = write_sheet(given.out, tiles, truth, names, {"prompts": prompts, "made": made})
    print(
        f"{given.out / SHEET}: {len(tiles)} pictures; {given.out / NAMES}: their names, shuffled.\n"
        f"Write one line each, '7: {'NAME, NAME' if given.pairs else 'NAME'}' or "
        f"'7: {UNKNOWN}', then:\n"
        f"python -m benchmarks.quality score {given.out} answers.txt\n"
        f"Seal of the key: {seal}"
    )


def write_sheet(
    folder: Path,
    tiles: Sequence[Tile],
    truth: Mapping[str, Sequence[str]],
    names: Sequence[str],
    more: Mapping[str, object],
) -> str:
    """Write sheet, names and sealed key; return the seal."""
    save_sheet(contact_sheet(tiles, _COLUMNS, side=_SIDE), folder / SHEET, largest=_LARGEST)
    (folder / NAMES).write_text("\n".join(names) + "\n", encoding="utf-8")
    plain = json.dumps({"truth": dict(truth), **more}, sort_keys=True).encode()
    digest = hashlib.sha256(plain).hexdigest()
    sealed = base64.b64encode(zlib.compress(plain)).decode()
    key = {"note": "sealed: open it with score", "sha256": digest, "sealed": sealed}
    (folder / KEY).write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    return digest


def read_key(folder: Path) -> dict[int, tuple[str, ...]]:
    """Open the sealed key: what each picture shows.

    Raises:
        InputFileError: there is none, it is broken, or it was changed since it was sealed.
    """
    path = folder / KEY
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
        plain = zlib.decompress(base64.b64decode(key["sealed"], validate=True))
        shown = json.loads(plain)["truth"].items()
        truth = {
            int(n): (names,) if isinstance(names, str) else tuple(map(str, names))
            for n, names in shown
        }
    except (OSError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise InputFileError(f"{path} cannot be read ({error}): `sheet` writes it") from error
    if hashlib.sha256(plain).hexdigest() != key.get("sha256"):
        raise InputFileError(f"{path} does not match its seal: it was changed since the drawing")
    return truth


def read_answers(path: Path, truth: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """Read lines like "7: sailboat", of pairs "7: sailboat, cat"; lines with # are skipped.

    Raises:
        InputFileError: no such file, or a line that cannot count, and which.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(f"answers {path} cannot be read: {error}") from error
    names = {UNKNOWN, *(name for shown in truth.values() for name in shown)}
    answers: dict[int, tuple[str, ...]] = {}
    for place, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if not match:
            raise InputFileError(
                f"{path}, line {place}: {line.strip()!r} is no answer: write '7: sailboat' or "
                f"'7: {UNKNOWN}'"
            )
        number = int(match[1])
        said = tuple(name.strip().lower() or UNKNOWN for name in match[2].split(","))
        if number not in truth:
            raise InputFileError(f"{path}, line {place}: there is no picture {number}")
        if number in answers:
            raise InputFileError(f"{path}, line {place}: picture {number} is answered twice")
        for name in said:
            if name not in names:
                raise InputFileError(
                    f"{path}, line {place}: {name!r} is not in {NAMES}.{did_you_mean(name, names)}"
                )
        if len(said) > len(truth[number]):
            raise InputFileError(
                f"{path}, line {place}: picture {number} shows {len(truth[number])}, "
                f"{len(said)} names were given"
            )
        answers[number] = said
    if not answers:
        raise InputFileError(f"{path} holds no answers: write lines like '7: sailboat'")
    return answers


def score(given: argparse.Namespace) -> None:
    """Hold answers against the key and print the share that is right."""
    truth = read_key(given.folder)
    answers = read_answers(given.answers, truth)
    said = {n: set(answers.get(n, ())) - {UNKNOWN} for n in truth}
    count = sum(map(len, truth.values()))
    right = Share(sum(len(said[n] & set(names)) for n, names in truth.items()), count)
    missing = count - sum(map(len, said.values()))
    whole = sum(said[n] == set(names) for n, names in truth.items())
    several = f" ({whole} of {len(truth)} pictures wholly)" if count > len(truth) else ""
    print(
        f"{right.right} of {right.of} named right: {right} (95 %){several}; "
        f"{missing} unknown or not answered; guessing names about 1"
    )
    if given.reveal:
        for number, names in sorted(truth.items()):
            told = ", ".join(sorted(said[number])) or UNKNOWN
            mark = "right" if said[number] == set(names) else f"said {told}"
            print(f"{number}: {', '.join(names)}, {mark}")


def _prepare(folder: Path) -> None:
    if (folder / KEY).exists():
        raise OutputError(f"{folder} holds a sheet already: name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
