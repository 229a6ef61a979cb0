"""`text2art vector`: directions in a perceptor's space, for `vector_prompts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from text2art.cli.boundary import boundary, say
from text2art.errors import SettingsError
from text2art.prompts import parse_prompts
from text2art.settings import Settings

app = typer.Typer(help="Vector prompts: make them, look into them.", no_args_is_help=True)


def make(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="PROMPT...",
            help='Texts, and @pictures, with weights: "a photo | a drawing:-1"; or textoff alone.',
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A .safetensors file.")],
    perceptor: Annotated[
        str, typer.Option(metavar="TEXT", help="Whose vectors, as for draw.")
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the weighted sum of texts and pictures, as each perceptor sees them, to a file.

    With weights of both signs it is a direction: "a photo | a drawing:-1" leads away from drawings.
    Use it as vector_prompts=FILE. Prints the path.
    """
    settings = Settings.of(prompts=words, perceptor=perceptor, seed=0)
    parsed = parse_prompts(settings.chosen(0).prompts)
    if out.suffix.lower() != ".safetensors":
        raise SettingsError(f"--out {str(out)!r}: vectors are written to a .safetensors file")
    if out.exists() and not force:
        raise SettingsError(f"{out} is there already: --force replaces it")
    from text2art import vectors  # torch comes in here, after the cheap checks
    from text2art.media.files import write_bytes
    from text2art.models import Models
    from text2art.prompts.wordings import PLAIN, TEXTOFF, WRITING
    from text2art.runtime import pick

    models = Models(pick())
    ensemble = models.ensemble(settings.perceptor, settings.preset)
    builtin = [one.text for one in parsed] == [TEXTOFF]
    texts = [*PLAIN, *WRITING] if builtin else [one.text for one in parsed if not one.is_image]
    for notice in dict.fromkeys(n for text in texts for n in ensemble.notices(text)):
        say(notice)
    made = {
        p.name: vectors.textoff(p) if builtin else vectors.mixed(p, parsed, models.runtime.device)
        for p, _ in ensemble
    }
    packed = vectors.pack(made, [p for p, _ in ensemble], " | ".join(map(str, parsed)))
    print(write_bytes(out, packed), flush=True)


def show(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A vector file or its URL.")],
) -> None:
    """List the perceptors that a vector file is for, and how many vectors each has."""
    from text2art.vectors import Vectors

    file = Vectors(source)
    for name in file.names:
        rows, width = file.shape_of(name)
        print(f"{name}: {rows} of {width} numbers")


app.command("make")(boundary(make))
app.command("show")(boundary(show))
