"""The model card and the notice that go beside the weights."""

from pathlib import Path
from typing import Any

from training.evaluate import table
from training.export import write_text
from training.sprites import FONT_PACKAGE, Sprites
from training.subjects import SUBJECTS
from training.world import BACKGROUND_NAMES, COLOR_NAMES, STYLE_NAMES

_CARD = """# text2art starter perceptor

A small CLIP-like model made for guidance: its input gradients look like the thing. It lets text2art
draw offline, at once. It is not a general CLIP: it knows {subjects} subjects, {colors} colors,
counts from 1 to 4, {backgrounds} backgrounds and {styles} styles; all other words are one
"unknown word". `perceptor.json` lists every word it knows.

The command that makes such a model:
`python -m training.make --budget {minutes:.0f}m --out weights/starter`.

## Data
No outside picture was used. Pictures of 64 x 64 are drawn by `training/` while it trains:
{drawings} drawings (glyphs of Noto Color Emoji, see NOTICE, and {own} procedural ones),
repainted, counted, placed over plain colors or drawn scenes, seen through random views, given
styles and noise; captions are composed from the same attributes. {held} drawings were held back
for evaluation: {held_names}.

Subjects: {subject_names}.

## Model
Image tower `{plan}` (3x3 convolutions, SiLU, average pooling, one linear
layer; batch norm folded), {image_size} px input, embedding of {embed}; text tower:
open_clip's transformer, {layers} layers of width {width}, CLIP's tokenizer, {tokens} known tokens.
{parameters:.2f} M parameters in all, stored in half precision.

## Training
{recipe}

- Curriculum: a difficulty knob rises from 0 to 1; half of each batch is at random lower difficulty.
- Masked contrastive loss: a caption that may be true of another picture is no negative; each
  picture also has a caption with one attribute changed.
- Linear heads for subject, color, count, background and style, dropped at export.
- "Free" adversarial training (arXiv:1904.12843): each batch is replayed while an L2-bounded
  perturbation of the pictures grows; this is what makes the gradients drawable.
- On-policy fakes: in the later part, pictures guided to captions by the model itself join each
  batch and are told apart from real ones; in one short comparison, by eye, figure and ground
  were cleaner for it.
- The exported weights are a running average of the trained ones.

Trained for {minutes:.0f} minutes on {device}: {seen:,} image updates.{note}

## Figures
Printed by the command. Fresh pictures, zero-shot by text; subject among all {subjects}. "easy" and
"hard" are difficulty 0.2 and 1.0 of the training's own drawings; "held back" are drawings of the
same subjects that training never showed. Chance: subject {chance:.3f}, color 0.08, background 0.04,
count 0.25.

{figures}

These figures say little about how well it *draws*: look at pictures.

## Limits
Emoji-like shapes only; few drawings per subject, so unseen drawings of a subject are often not
recognized. Counts above four, two different subjects in one picture, and relations between them
were not trained. Small input: text2art shows it crops of the picture.

## License
The weights are text2art's own, under the project's license (MIT). The drawings' font: see NOTICE.

## Files
{hashes}
"""

_NOTICE = """The pictures that the starter perceptor was trained on were drawn with glyphs of

    Noto Color Emoji, https://github.com/googlefonts/noto-emoji
    Copyright 2013 Google Inc. (Debian package {package})

The font is licensed under the SIL Open Font License, Version 1.1: https://openfontlicense.org
(on Debian: /usr/share/doc/{package}/copyright). No part of the font is distributed here: this
folder holds weights of a network that was trained on rendered glyphs. The OFL does not extend to
documents created using the font or its derivatives (its preamble). The font's authors do not
endorse this model.
"""


def write_card(
    folder: Path, *, part: str, sprites: Sprites, model: dict[str, Any], parameters: int,
    recipe: dict[str, Any], seen: int, seconds: float, device: str,
    results: dict[str, dict[str, float]], hashes: dict[str, str], note: str = "",
) -> None:  # fmt: skip
    """Write `MODEL_CARD.md` and `NOTICE` into the folder of the weights."""
    held = [name for name, back in zip(sprites.names, sprites.held_back, strict=True) if back]
    own = sum(name.startswith("our own") for name in sprites.names)
    text = _CARD.format(
        subjects=len(SUBJECTS), colors=len(COLOR_NAMES), backgrounds=len(BACKGROUND_NAMES),
        styles=len(STYLE_NAMES) - 1, minutes=seconds / 60, drawings=len(sprites.names), own=own,
        held=len(held), held_names=", ".join(held),
        subject_names=", ".join(s.name for s in SUBJECTS),
        plan=model["image_plan"], image_size=model["image_size"], embed=model["embed"],
        layers=model["text_layers"], width=model["text_width"], tokens=model["tokens"] - 2,
        parameters=parameters / 1e6, device=device, seen=seen,
        note=f"\n\n{note}" if note else "", chance=1 / len(SUBJECTS),
        recipe="\n".join(f"- `{key}`: {value}" for key, value in recipe.items()),
        figures=table(results),
        hashes="\n".join(f"- `{name}`: sha256 `{digest}`" for name, digest in hashes.items()),
    )  # fmt: skip
    write_text(folder / "MODEL_CARD.md", text)
    write_text(folder / "NOTICE", _NOTICE.format(package=FONT_PACKAGE))
