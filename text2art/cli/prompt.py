"""`text2art prompt`: how a prompt is read, before anything is drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text2art.errors import SettingsError
from text2art.prompts import Prompt, expand, lint, number_notices, parse_story, wildcards
from text2art.prompts.layout import arrange
from text2art.settings import Settings

if TYPE_CHECKING:
    from text2art.perceptors.ensemble import Ensemble

MOST_SHOWN = 1000  # expansions
Words = Annotated[
    list[str], typer.Argument(metavar="PROMPT...", help="As for draw.", show_default=False)
]


def prompt(
    words: Words,
    *,
    count: Annotated[
        int, typer.Option(min=1, max=MOST_SHOWN, help="Show what so many seeds choose.")
    ] = 1,
    every: Annotated[
        bool, typer.Option("--all", help=f"Show every combination, up to {MOST_SHOWN}.")
    ] = False,
    seed: Annotated[
        str, typer.Option(metavar="N|TEXT", help="Chooses; numbers count up with --count.")
    ] = "0",
    perceptor: Annotated[
        str, typer.Option(metavar="TEXT", help="Who counts tokens and knows words, as for draw.")
    ] = "auto",
    tokens: Annotated[
        bool, typer.Option("--tokens/--no-tokens", help="Ask the perceptor; takes some seconds.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how prompts are read: what wildcards become, weights, windows, regions, tokens."""
    settings = Settings.of(prompts=words, seed=seed, perceptor=perceptor)
    combinations = wildcards.combinations(words)
    if every and combinations > MOST_SHOWN:
        raise SettingsError(
            f"there are {_about(combinations)} combinations, at most {MOST_SHOWN} are listed: "
            f"use --count"
        )
    seeds = _seeds(settings.seed or 0, count)
    if every:
        chosen = [("", wildcards.combination(words, n)) for n in range(combinations)]
    else:
        chosen = [(str(one), expand(words, one)) for one in seeds]
    if not as_json and combinations > 1:
        print(f"{_about(combinations)} combinations")
    if len(chosen) > 1:
        _list(chosen, combinations, as_json)
        return
    (label, sources) = chosen[0]
    story = parse_story(sources)
    ensemble = _ensemble(settings) if tokens else None
    if as_json:
        print(
            json.dumps(
                _values(label, sources, combinations, story, ensemble), ensure_ascii=False, indent=2
            )
        )
        return
    if sources != tuple(words):
        print(f"seed {label}: {' | '.join(sources)}")
    for number, scene in enumerate(story, start=1):
        if len(story) > 1:
            print(f"scene {number}")
        _explain(scene, ensemble)
        arranged = _arranged(scene, ensemble)
        if arranged:
            print(f"drawn, in a square and unless compose is 0, as: {' | '.join(arranged)}")


def _about(combinations: int) -> str:
    more = combinations >= wildcards.MOST_COUNTED
    return f"{combinations} or more" if more else str(combinations)


def _seeds(first: int | str, count: int) -> list[int | str]:
    if isinstance(first, int):
        return [first + number for number in range(count)]
    return [first, *(f"{first} {number}" for number in range(2, count + 1))]


def _list(chosen: Sequence[tuple[str, Sequence[str]]], combinations: int, as_json: bool) -> None:
    if as_json:
        entries = [{"seed": label or None, "prompts": list(told)} for label, told in chosen]
        values = {"combinations": combinations, "expansions": entries}
        print(json.dumps(values, ensure_ascii=False, indent=2))
        return
    for label, told in chosen:
        parse_story(told)
        print((f"seed {label}: " if label else "") + " | ".join(told))


def _ensemble(settings: Settings) -> Ensemble:
    from text2art.models import Models  # torch comes in here, for those who ask for tokens
    from text2art.runtime import pick

    return Models(pick()).ensemble(settings.perceptor, settings.preset)


def _explain(scene: Sequence[Prompt], ensemble: Ensemble | None) -> None:
    for number, one in enumerate(scene, start=1):
        print(f"prompt {number}: {lint.explain(one)}")
        for line in [*number_notices([one]), *_reading(one, ensemble)]:
            print(f"  {line}")


def _arranged(scene: Sequence[Prompt], ensemble: Ensemble | None) -> list[str]:
    """Say how several things are laid out in a square picture; [] where nothing is changed."""
    subjects = ensemble.subjects if ensemble is not None else {}
    return [str(one) for one in arrange(scene, subjects, 1.0) or ()]


def _reading(one: Prompt, ensemble: Ensemble | None) -> list[str]:
    """Say how many tokens a text has, and what of it is not understood."""
    if ensemble is None or one.is_image:
        return []
    count = _tokens(one.text)
    return [f"{count} tokens (CLIP reads 75, the starter 30)", *ensemble.notices(one.text)]


def _tokens(text: str) -> int:
    from text2art.nets.byte_pairs import byte_pairs

    return len(byte_pairs().encode(text))


def _values(
    label: str,
    sources: Sequence[str],
    combinations: int,
    story: Sequence[Sequence[Prompt]],
    ensemble: Ensemble | None,
) -> dict[str, Any]:
    def entry(one: Prompt) -> dict[str, Any]:
        notices = [*number_notices([one]), *_reading(one, ensemble)[1:]]
        asked = ensemble is not None and not one.is_image
        tokens = {"tokens": _tokens(one.text)} if asked else {}
        return {**lint.as_values(one), **tokens, "notices": notices}

    return {
        "combinations": combinations,
        "seed": label or None,
        "prompts": list(sources),
        "scenes": [[entry(one) for one in scene] for scene in story],
        "arranged": [_arranged(scene, ensemble) for scene in story],
    }
