"""What a form holds, as the body of a request and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from text2art.errors import SettingsError
from text2art.studio.client.shapes import Catalog

# Settings with a box of their own; every other one is a line of `more`.
BOXED = (
    "prompts",
    "drawer",
    "quality",
    "aspect",
    "styles",
    "palette",
    "seed",
    "iterations",
    "init_weight",
    "make_video",
)
_UNSENT = "init_image"  # a picture of this form, or one that only its owner may name


@dataclass(frozen=True)
class Form:
    """Values of the boxes; "" is what nobody touched.

    Attributes:
        init_image: path of a picture to start from, or "".
        public: whether the picture goes into the gallery; None leaves it to the studio.
        more: further settings, one a line, as `pixel.cells: 36x36`.
    """

    prompts: str = ""
    drawer: str = ""
    quality: str = ""
    aspect: str = ""
    styles: tuple[str, ...] = ()
    palette: str = ""
    seed: str = ""
    iterations: str = ""
    init_image: str = ""
    init_weight: str = ""
    make_video: bool = False
    public: bool | None = None
    more: str = ""

    def body(self, catalog: Catalog, init_image: str = "") -> dict[str, Any]:
        """Return what is sent: only what differs from the studio's defaults.

        Args:
            catalog: of the studio.
            init_image: the key under which the studio has the picture to start from.

        Raises:
            SettingsError: a line of `more` is no setting.
        """
        values: dict[str, Any] = {
            "prompts": self.prompts.strip(),
            "drawer": self.drawer,
            "quality": self.quality,
            "aspect": self.aspect.strip(),
            "styles": list(self.styles),
            "palette": self.palette.strip(),
            "seed": self.seed.strip(),
            "iterations": _number(self.iterations),
            "init_image": init_image,
            "init_weight": _number(self.init_weight) if init_image else "",
            "make_video": self.make_video,
        }
        sent = {
            name: value
            for name, value in values.items()
            if value not in ("", None, []) and not _is_default(catalog, name, value)
        }
        sent = _merged(sent, read_lines(self.more))
        return sent if self.public is None else {**sent, "public": self.public}


def of_settings(settings: Mapping[str, Any], catalog: Catalog) -> Form:
    """Return the form that would ask for a picture with these settings again."""
    flat = _flat(settings)
    prompts, styles = flat.get("prompts", ""), flat.get("styles", [])
    rest = {name: flat[name] for name in flat if name not in (*BOXED, _UNSENT)}
    return Form(
        prompts=" | ".join(map(str, prompts)) if isinstance(prompts, list) else str(prompts),
        drawer=str(flat.get("drawer", default(catalog, "drawer") or "")),
        quality=str(flat.get("quality", default(catalog, "quality") or "")),
        aspect=str(flat.get("aspect", default(catalog, "aspect") or "")),
        styles=tuple(map(str, styles)) if isinstance(styles, list) else (str(styles),),
        palette=str(flat.get("palette", "")),
        seed=str(flat.get("seed", "")),
        iterations=str(flat.get("iterations", "")),
        init_weight=str(flat.get("init_weight", "")),
        make_video=flat.get("make_video") is True,
        more="\n".join(f"{name}: {_written(value)}" for name, value in rest.items()),
    )


def read_lines(text: str) -> dict[str, Any]:
    """Read settings, one a line: `name: value` or `name = value`, those of a part as `pixel.cells`.

    Raises:
        SettingsError: a line is none.
    """
    values: dict[str, Any] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("# "):
            continue
        at = min((i for i in (line.find(":"), line.find("=")) if i >= 0), default=-1)
        name, value = line[:at].strip().lstrip("-"), line[at + 1 :].strip()
        if at < 0 or not name or not all(part.isidentifier() for part in name.split(".")):
            raise SettingsError(
                f"{line.strip()[:60]!r} is no setting: write one a line, as iterations: 100"
            )
        values = _merged(values, _nested(name.split("."), _read(value)))
    return values


def default(catalog: Catalog, name: str) -> Any:
    """Return a setting's default, None where the studio has no such setting."""
    found = catalog.fields.get(name)
    return None if found is None else found.default


def _is_default(catalog: Catalog, name: str, value: Any) -> bool:
    usual = default(catalog, name)
    return not usual if value is False else bool(usual == value)


def _read(value: str) -> Any:
    """Return a value as JSON says it, else as text: the studio makes of it what is meant."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _written(value: Any) -> str:
    plain = isinstance(value, str) and _read(value) == value and "\n" not in value
    return value if plain else json.dumps(value, ensure_ascii=False)


def _number(text: str) -> Any:
    """Return a number that was written; what is none stays, for the studio to say so."""
    value = _read(text.strip())
    return value if isinstance(value, int | float) else text.strip()


def _nested(parts: list[str], value: Any) -> dict[str, Any]:
    return {parts[0]: _nested(parts[1:], value) if parts[1:] else value}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(one)
    for name, value in other.items():
        both = isinstance(value, dict) and isinstance(values.get(name), dict)
        values[name] = _merged(values[name], value) if both else value
    return values


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return settings with those of parts as `pixel.cells`; other mappings stay, as of losses."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and not before and name != "losses":
            flat |= _flat(value, f"{name}.")
        else:
            flat[before + name] = value
    return flat
