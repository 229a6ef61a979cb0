"""Other drawings of the same emoji, from openly licensed icon sets in iconify's JSON.

A folder holds what `npm install --prefix DIR @iconify-json/twemoji ...` puts there. The guide and
the judge learn from different sets, so that the judge measures the subject and not the drawing.
"""

import io
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from PIL import Image

Role = Literal["guide", "judge"]

LICENSES = {
    "fluent-emoji-flat": "MIT",
    "twemoji": "CC BY 4.0",
    "noto-v1": "Apache 2.0",
    "fxemoji": "Apache 2.0",
    "emojione": "CC BY 4.0",
}
ROLE_SETS: dict[Role, tuple[str, ...]] = {
    "guide": ("fluent-emoji-flat",),
    "judge": ("twemoji", "noto-v1", "fxemoji"),
}
SIDE = 256  # icons are rendered large, scaled down by the caller

# Sets without a list of characters are looked up by the Unicode name of a character, or by the
# name another set gives it. Some names are one set's own.
_LISTED = """
    🌶=chilipepper 🐱=cat 🐶=dog 🐭=mouse 🐰=bunny 🦊=foxgrin 🐻=bear 🐯=tiger 🐷=pig 🐸=frog
    🐥=frontfacingchick 🐳=spurtingwhale 🐲=dragonhead 🐉=dragonside 🌲=evergreen 🍃=leaffluttering
    🍂=fallingleaf ☀=sunrays ⚡=bolt 🌍=europeafricaglobe 🗼=toykotower 🏍=motorcycle 💡=lightbulb
    🕐=clock1oclock 🎁=present 👟=mensshoe 👕=mansshirt 👓=glasses 💎=gem 🎾=tennisball
    😀=smileeyes ☺=whitesmilingface 👽=alien ❤=redheart 💙=heartblue 💚=heartgreen ✋=handup
    ⛄=snowmanwithoutsnow 🏔=snowmountains 🐈=catside 🐕=dogside 🐁=mouseside 🐖=pigside
    🐅=tigerside ☠=blackskullcrossbones 🗝=oldkey 🗻=mountfuji
"""
_OWN_NAMES: Mapping[str, str] = dict(pair.split("=") for pair in _LISTED.split())
# Drawings that a fair eye would not call by the subject's name, and why.
UNLIKE: Mapping[str, str] = {
    "fluent-emoji-flat 💮": "a stamp with writing",
    "fluent-emoji-flat 🍵": "a gray box at this size",
    "fluent-emoji-flat 🐦": "a head cut off at the neck",
    "noto-v1 ✂": "white blades, lost on light grounds",
    "noto-v1 💎": "cut off by its frame",
    "fxemoji ✋": "a girl who raises her hand",
    "fxemoji 🎲": "a playing field",
    "fxemoji 🐦": "a gray face",
    "fxemoji ⭐": "pale gray, hardly a star's color",
    "fxemoji 🌈": "framed by a sky",
    "fxemoji 🌋": "framed by a landscape",
    "fxemoji 🎡": "framed by a sky",
    "fxemoji 🗼": "framed by a sky",
    "fxemoji ⛺": "framed by a night",
    "fxemoji 🚢": "framed by a sea",
    "fxemoji ⛵": "framed by a sea",
}


class IconsMissingError(RuntimeError):
    """The icon sets that drawings are wanted from are not in the folder."""


class IconSet:
    """One set, read once.

    Args:
        folder: where `npm install --prefix` put the packages.
        name: of the set, as in LICENSES.

    Raises:
        IconsMissingError: Where the set is not there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        package = folder / "node_modules" / "@iconify-json" / name
        if not (package / "icons.json").is_file():
            raise IconsMissingError(missing(folder, (name,)))
        self.name = name
        self._data: dict[str, Any] = json.loads((package / "icons.json").read_text("utf-8"))
        self._names: dict[str, str] = json.loads((package / "chars.json").read_text("utf-8"))
        self._alike = {} if self._names else _names_elsewhere(package.parent)
        self._by_squashed = {_squash(n): n for n in self._data.get("aliases", {})}
        self._by_squashed |= {_squash(n): n for n in self._data["icons"]}

    def find(self, character: str) -> str | None:
        """Return the name of a character's icon."""
        if f"{self.name} {character}" in UNLIKE:
            return None
        code = "-".join(f"{ord(c):x}" for c in character)
        listed = self._names.get(code) or self._names.get(f"{code}-fe0f")
        if listed or self._names:
            return listed
        names = (_OWN_NAMES.get(character, ""), unicodedata.name(character[0], ""))
        known = (self._by_squashed.get(_squash(n)) for n in (*names, *self._alike.get(code, ())))
        return next((name for name in known if name), None)

    def svg(self, icon: str) -> str:
        """Return an icon as an SVG file, its aliases followed."""
        facts: dict[str, Any] = {}
        name = icon
        while name not in self._data["icons"]:
            alias = self._data["aliases"][name]
            facts = {**alias, **facts}
            name = alias["parent"]
        facts = {**self._data["icons"][name], **facts}
        width = facts.get("width", self._data.get("width", 16))
        height = facts.get("height", self._data.get("height", 16))
        left, top = facts.get("left", 0), facts.get("top", 0)
        body = facts["body"]
        if facts.get("hFlip"):
            body = f'<g transform="translate({2 * left + width} 0) scale(-1 1)">{body}</g>'
        side = max(width, height)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{SIDE * width / side:g}" height="{SIDE * height / side:g}" '
            f'viewBox="{left} {top} {width} {height}">{body}</svg>'
        )

    def render(self, character: str) -> Image.Image | None:
        """Return a character's icon as RGBA, 256 pixels at its longer side; None without one."""
        import resvg_py  # of the extra "train": the sets are an option

        icon = self.find(character)
        if icon is None:
            return None
        png = bytes(resvg_py.svg_to_bytes(svg_string=self.svg(icon)))
        return Image.open(io.BytesIO(png)).convert("RGBA")


def missing(folder: Path | None, names: tuple[str, ...]) -> str:
    """Say which sets are wanted and how to get them."""
    packages = " ".join(f"@iconify-json/{name}" for name in names)
    where = folder or Path("icons")
    return (
        f"Icon sets are missing{f' from {folder}' if folder else ''}. "
        f"Install them: npm install --prefix {where} {packages}"
    )


def open_sets(folder: Path | None, role: Role) -> list[IconSet]:
    """Open the icon sets of a role; the guide makes do without any.

    Raises:
        IconsMissingError: Where the folder lacks a set, or the judge has no folder.
    """
    names = ROLE_SETS[role]
    if folder is None:
        if role == "judge":
            raise IconsMissingError(
                "The judge learns from other drawings than the guide. " + missing(None, names)
            )
        return []
    return [IconSet(folder, name) for name in names]


def _names_elsewhere(packages: Path) -> dict[str, list[str]]:
    """Return what the sets that list their characters call them, by code point."""
    names: dict[str, list[str]] = {}
    for path in sorted(packages.glob("*/chars.json")):
        for code, name in json.loads(path.read_text("utf-8")).items():
            names.setdefault(code.removesuffix("-fe0f"), []).append(name)
    return names


def _squash(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
