"""The model card and the notice that go beside a perceptor's weights."""

from collections import Counter
from pathlib import Path
from typing import Any

from training.evaluate import table
from training.export import write_text
from training.icons import LICENSES
from training.sprites import FONT_PACKAGE, Sprites
from training.subjects import SUBJECTS
from training.world import BACKGROUND_NAMES, COLOR_NAMES, STYLE_NAMES

_PURPOSE = {
    "perceptor": """# text2art starter perceptor{which}

A small CLIP-like model made for guidance: its input gradients look like the thing. It lets text2art
draw offline, at once. It is not a general CLIP.""",
    "judge": """# The judge of text2art's starter{which}

A small CLIP-like model that judges what the starter perceptor draws (`benchmarks/quality`). It is
of another architecture and seed, learnt from other drawings of the same subjects, and never guides.
It is no part of the package.""",
}
_CARD = """{purpose} It knows {subjects} subjects, {colors} colors,
counts from 1 to 4, pairs of things and how they lie, sizes, places, {backgrounds} backgrounds and
{styles} styles; all other words are one "unknown word". `{stem}.json` lists every word it knows.

The command that makes such a model:
`python -m training.make --parts {part}{options} --budget {minutes:.0f}m`.

## Data
Pictures of 64 x 64 are drawn by `training/` while it trains: {drawings} drawings ({sources}; see
NOTICE), repainted, counted, paired, placed over plain colors or drawn scenes, seen through random
views, given styles and noise; captions are composed from the same attributes. {held} drawings were
held back for evaluation.

Subjects: {subject_names}.

## Model
Image tower `{plan}` (3x3 convolutions, SiLU, average pooling or
strides, one linear layer; batch norm folded), {image_size} px input, embedding of {embed}; text
tower: open_clip's transformer, {layers} layers of width {width}, CLIP's tokenizer, {tokens} known
tokens. {parameters:.2f} M parameters in all, stored in half precision.

## Training
{recipe}

- Curriculum: a difficulty knob rises from 0 to 1; half of each batch is at random lower difficulty.
- Masked contrastive loss: a caption that may be true of another picture is no negative; each
  picture also has a caption with one attribute changed.
- Linear heads for subject, color, count, background and style, dropped at export.
- Adversarial training (PGD, arXiv:1706.06083; with `free`, arXiv:1904.12843): pictures carry an
  L2-bounded perturbation that climbs the loss; this is what makes the gradients drawable.
- On-policy fakes (`fakes`): pictures that the model itself draws while it trains, told apart from
  real ones.
- Batch norm settles on its running statistics late in the training.
- The exported weights are a running average of the trained ones.

Trained for {minutes:.1f} minutes on {device}: {seen:,} pictures.{note}

## Figures
Printed by the command. Fresh pictures, zero-shot by text; subject among all {subjects}. "easy" and
"hard" are difficulty 0.2 and 1.0 of the training's own drawings; "held back" are drawings of the
same subjects that training never showed. Chance: subject {chance:.3f}, color 0.08, background 0.04,
count 0.25.

{figures}

These figures say little about how well it *draws*: see `docs/quality.md`.

## Limits
Emoji-like shapes only; few drawings per subject. Counts above four were not trained. Small input:
text2art shows it crops of the picture.

## License
The weights are text2art's own, under the project's license (MIT). The drawings: see NOTICE.

## Files
{hashes}
"""

_NOTICE = """The pictures that this model was trained on were drawn with

{drawings}

No part of a font or of an icon set is distributed here: this folder holds weights of a network that
was trained on rendered drawings. The authors of the drawings do not endorse this model.
"""
_FONT = f"""- glyphs of Noto Color Emoji, https://github.com/googlefonts/noto-emoji
  Copyright 2013 Google Inc. (Debian package {FONT_PACKAGE}), under the SIL Open Font License,
  Version 1.1: https://openfontlicense.org. The OFL does not extend to documents created using the
  font (its preamble)."""
_AUTHORS = {
    "fluent-emoji-flat": "Fluent Emoji, Copyright (c) Microsoft Corporation",
    "twemoji": "Twemoji, Copyright Twitter, Inc. and other contributors",
    "noto-v1": "Noto Emoji (first version), Copyright Google Inc.",
    "fxemoji": "Firefox OS Emoji, Copyright Mozilla Foundation",
    "emojione": "EmojiOne 2, Copyright Ranks.com Inc.",
}


def write_card(
    folder: Path, *, part: str, sprites: Sprites, model: dict[str, Any], parameters: int,
    recipe: dict[str, Any], seen: int, seconds: float, device: str,
    results: dict[str, dict[str, float]], hashes: dict[str, str], note: str = "", tower: int = 1,
) -> None:  # fmt: skip
    """Write `MODEL_CARD.md` (`MODEL_CARD-2.md` ...) and `NOTICE` into the folder of the weights.

    Args:
        folder: of the weights.
        part: "perceptor" or "judge".
        sprites: what it was trained on.
        model: its configuration.
        parameters: how many it has.
        recipe: of its training, as plain values.
        seen: pictures that it was trained on.
        seconds: of training.
        device: in words.
        results: of `evaluate`.
        hashes: of its files.
        note: a remark of whoever trained it.
        tower: which of several perceptors it is, from 1 on.
    """
    counts = Counter(sprites.source)
    text = _CARD.format(
        purpose=_PURPOSE[part].format(which=f", number {tower}" if tower > 1 else ""),
        part=part, stem=stem_of("perceptor", tower),
        options=(f" --tower {tower}" if tower > 1 else "")
        + (" --icons DIR" if set(counts) & set(LICENSES) else ""),
        subjects=len(SUBJECTS), colors=len(COLOR_NAMES), backgrounds=len(BACKGROUND_NAMES),
        styles=len(STYLE_NAMES) - 1, minutes=seconds / 60, drawings=len(sprites.names),
        sources=", ".join(f"{n} of {name}" for name, n in counts.items()),
        held=int(sprites.held_back.sum()), subject_names=", ".join(s.name for s in SUBJECTS),
        plan=model["image_plan"], image_size=model["image_size"], embed=model["embed"],
        layers=model["text_layers"], width=model["text_width"], tokens=model["tokens"] - 2,
        parameters=parameters / 1e6, device=device, seen=seen,
        note=f"\n\n{note}" if note else "", chance=1 / len(SUBJECTS),
        recipe="\n".join(f"- `{key}`: {value}" for key, value in recipe.items()),
        figures=table(results),
        hashes="\n".join(f"- `{name}`: sha256 `{digest}`" for name, digest in hashes.items()),
    )  # fmt: skip
    write_text(folder / f"{stem_of('MODEL_CARD', tower)}.md", text)
    write_text(folder / "NOTICE", _NOTICE.format(drawings="\n".join(_credits(counts))))


def stem_of(name: str, tower: int) -> str:
    """Return the stem of a tower's file: "perceptor", "perceptor-2" ..."""
    return name if tower == 1 else f"{name}-{tower}"


def _credits(sources: Counter[str]) -> list[str]:
    """Return a line of credit per outside source of drawings."""
    icons = [
        f"- icons of {_AUTHORS[name]} (npm package @iconify-json/{name}), {LICENSES[name]}"
        for name in sources
        if name in LICENSES
    ]
    return [*([_FONT] if "noto-emoji" in sources else []), *icons]
