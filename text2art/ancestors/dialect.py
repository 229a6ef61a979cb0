"""Old settings, read as a whole: two dialects, clipit's and pixray's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from text2art.aliases import DRAWERS as RENAMED_DRAWERS
from text2art.aliases import SWITCHES
from text2art.ancestors.core_rows import CORE
from text2art.ancestors.part_rows import DRAWERS, FILTERS, LOSSES
from text2art.ancestors.row import Reading, Row, told
from text2art.configfile import read_settings
from text2art.errors import SettingsError, did_you_mean
from text2art.presets import PRESETS
from text2art.settings import Settings
from text2art.sizes import BASE_SIZES, SMALLEST

ROWS: Mapping[str, Row] = {row.name: row for row in (*CORE, *DRAWERS, *LOSSES, *FILTERS)}
# Spellings beside the table's: of the command line, of the code, and of earlier versions.
ALSO: Mapping[str, str] = {
    "prompt": "prompts",
    "text": "prompts",
    "losses": "custom_loss",
    "spot": "spot_prompts",
    "spot_off": "spot_prompts_off",
    "optimizer": "optimiser",
    "learning_rate_drop": "learning_rate_drops",
    "video": "make_video",
    "deterministic": "cudnn_determinism",
    "cut_pow": "cut_power",
    "transparency": "transparent",
    "alpha_weight": "transparent_weight",
}
_MOST_SCALE = 10_000  # whatever is above is refused where scales are read


@dataclass(frozen=True)
class Dialect:
    """How one ancestor read what was not given.

    Attributes:
        name: of the ancestor.
        sizes: base sizes by aspect.
        qualities: its words for presets here.
        folders: whether `output` may be a path; else it is a name, and `outdir` says where.
    """

    name: str
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    qualities: Mapping[str, str] = field(default_factory=dict)
    folders: bool = False


# The clipit of the seed articles: a widescreen picture at scale 2.5 has 500 x 280 pixels.
CLIPIT = Dialect(
    "clipit",
    {"square": (150, 150), "portrait": (128, 160), "widescreen": (200, 112)},
    {name: f"clipit-{name}" for name in ("draft", "normal", "better", "best")},
    folders=True,
)
PIXRAY = Dialect("pixray", BASE_SIZES["pixray"])


@dataclass(frozen=True)
class Read:
    """What old settings come to.

    Attributes:
        settings: what to draw.
        output: name of the result's file.
        folders: whether that may be a path.
        outdir: template of its folder; "" = the working folder.
        old: what was given, by old name.
        notices: what the user should know.
    """

    settings: Settings
    output: str
    folders: bool
    outdir: str
    old: Mapping[str, Any]
    notices: tuple[str, ...]


def read(dialect: Dialect, given: Mapping[str, Any]) -> Read:
    """Read settings by any name that an ancestor or we know.

    Raises:
        SettingsError: with one readable line about what is wrong.
    """
    old, ours = _sorted_out(given)
    if old.get("config_file"):
        from_file, more = _sorted_out(read_settings(Path(str(old["config_file"]))))
        old, ours = {**old, **from_file}, {**ours, **more}  # the file wins, as in pixray
    reading = Reading(old)
    reading.settings.update(_defaults(dialect, old, ours))
    for name, row in ROWS.items():
        if name in old:
            row.reader()(reading, name, old[name])
    settings = {**reading.settings, **ours}
    if settings.get("size") is None:
        settings["size"] = _size(dialect, settings)
    quality = settings.get("quality")
    settings["quality"] = dialect.qualities.get(str(quality), quality)
    return Read(
        Settings.of(**settings),
        str(old.get("output") or "output.png"),
        dialect.folders,
        str(old.get("outdir") or ""),
        old,
        tuple(reading.notices),
    )


def _sorted_out(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return old settings under their table's name, and those that only we know.

    Raises:
        SettingsError: a name is nobody's.
    """
    old: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    for spelled, value in given.items():
        name = str(spelled).strip().lstrip("-").replace("-", "_")
        name = ALSO.get(name, name)
        if name in ROWS:
            old[name] = value
        elif name in Settings.model_fields:
            ours[name] = value
        else:
            known = [*ROWS, *Settings.model_fields]
            raise SettingsError(
                f"unknown setting {spelled!r}.{did_you_mean(name, known)} docs/migration.md lists "
                "those of pixray and clipit, 'text2art list settings' ours."
            )
    return old, ours


def _defaults(dialect: Dialect, old: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was so when nothing was said, and the drawer that switches name."""
    drawer = str(old.get("drawer") or "vqgan")
    for switch, means in SWITCHES.items():
        if told(switch, old.get(switch, False)):
            drawer = str(means["drawer"])
    return {
        "aspect": "widescreen",
        "quality": "normal",
        "drawer": RENAMED_DRAWERS.get(drawer, drawer),
        "display_every": 20,
    }


def _size(dialect: Dialect, settings: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the size that the dialect's aspect and scale mean; None leaves it to our own rules."""
    base = dialect.sizes.get(str(settings.get("aspect")))
    preset = PRESETS.get(str(settings.get("quality")))
    if base is None or preset is None:
        return None
    scale = settings.get("scale")
    try:
        factor = float(preset.scale if scale is None else scale)
    except (TypeError, ValueError):
        return None  # whoever reads the settings says so
    # Cut off, as both did. What is no size at all is told of where aspects and scales are read.
    width, height = (int(side * factor) if abs(factor) < _MOST_SCALE else 0 for side in base)
    return (width, height) if min(width, height) >= SMALLEST else None
