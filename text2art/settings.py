"""`Settings`: everything that decides which picture is drawn. One model feeds every face.

Command line, YAML, Python, the container's inputs, the HTTP body, forms and documentation are all
rendered from these fields (see `fields.py`). Options of drawers, losses and cutout recipes nest
under the component's name (`pixel.cells`), whichever package the component comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from text2art import aliases, asking, registry, sizes, weighted
from text2art.asking import AskingSettings
from text2art.errors import SettingsError
from text2art.explain import explain
from text2art.moments import parse_moment
from text2art.options.filing import FilingSettings
from text2art.options.moving import MovingSettings
from text2art.palettes import check_palette
from text2art.presets import PRESETS, SMALL, Preset
from text2art.prompts import Prompt
from text2art.styles.chosen import parse_styles

MAX_ITERATIONS = 10_000
MAX_CUTS = 512
MAX_STARTS = 16
MAX_SEED = 2**31 - 1  # the container's command line reads integers as 32 bits


def _in(group: str, default: Any, description: str, **limits: Any) -> Any:
    """Declare a field: its group, default, help and limits."""
    return Field(default, description=description, json_schema_extra={"group": group}, **limits)


class CoreSettings(AskingSettings, MovingSettings, FilingSettings):
    """Settings that belong to no component. Construct through `Settings.of` for readable errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=False
    )

    prompts: tuple[str, ...] = _in(
        "picture",
        (),
        "What to draw. Several prompts are separated by |, scenes by ^. Each may end in a region "
        "[left], a part of the run @20%-80%, :weight or :weight:stop; a negative weight pushes "
        "away; @file.png names a picture to resemble; the seed chooses from {a|b} and __animal__.",
    )
    drawer: str = _in("picture", "pyramid", "How the picture is made up.")
    quality: Literal[
        "draft",
        "normal",
        "better",
        "best",
        "supreme",
        "clipit-draft",
        "clipit-normal",
        "clipit-better",
        "clipit-best",
    ] = _in(
        "picture",
        "normal",
        "Preset of iterations, size and views: patience for quality. Those of clipit are its own.",
    )
    aspect: str = _in(
        "picture", "square", "square, portrait, widescreen, retain (as the init image) or W:H."
    )
    size: tuple[int, int] | None = _in(
        "picture", None, "Exact size in pixels as WIDTHxHEIGHT; overrides aspect and scale."
    )
    scale: float | None = _in(
        "picture", None, "Multiple of the base size; default: the quality's.", gt=0, le=20
    )
    iterations: int | None = _in(
        "picture", None, "Optimizer steps; default: the quality's.", ge=1, le=MAX_ITERATIONS
    )
    seed: int | str | None = _in(
        "picture",
        None,
        "A number or any words: same seed, same picture (bit for bit on CPU). Default: drawn.",
    )
    palette: str = _in(
        "picture",
        "",
        "Colors to use: a palette's name (PICO-8), a list (#1a1c2c,red), a ramp (black->gold), "
        "a file (@colors.gpl); several are joined by semicolons.",
    )
    styles: tuple[str, ...] = _in(
        "picture",
        (),
        "Styles whose words follow every prompt, as pixelart,low-poly; with a weight, as neon:0.5, "
        "a style is a prompt of its own. 'text2art styles' lists them.",
    )
    init_image: str = _in("picture", "", "Picture to start from: a file or http(s) URL.")
    init_weight: float = _in(
        "picture",
        0.0,
        "How much it holds to the init image (mean squared difference).",
        ge=0,
        le=1e6,
    )
    init_weight_spherical: float = _in(
        "picture", 0.0, "As init_weight, by half the squared angle to it.", ge=0, le=1e6
    )
    init_weight_cos: float = _in(
        "picture", 0.0, "As init_weight, by one minus the cosine.", ge=0, le=1e6
    )
    init_weight_pix: float = _in(
        "picture",
        0.0,
        "As init_weight, by half the mean absolute difference of the pictures.",
        ge=0,
        le=1e6,
    )
    init_fade: float | None = _in(
        "picture",
        None,
        "Share of the run after which the init weights have faded to nothing.",
        gt=0,
        le=1,
    )
    protect: str = _in(
        "picture", "", "Mask (a file or URL): where it is white, the init image stays untouched."
    )

    perceptor: str = _in(
        "guidance",
        "auto",
        "Who looks: auto, preset (the quality's CLIP models and no others), starter, an open_clip "
        "model (ViT-B-32, ViT-B-32@file.pt), or several as name:weight, comma-separated.",
    )
    cutouts: str = _in("guidance", "views", "Recipe by which the picture is looked at.")
    cuts: int | None = _in(
        "guidance", None, "Views per step; default: the quality's.", ge=1, le=MAX_CUTS
    )
    chunk: int | None = _in(
        "guidance",
        None,
        "Views that a perceptor looks at together; fewer take less memory and more time. Default: "
        "as many as memory holds.",
        ge=1,
        le=MAX_CUTS,
    )
    token_drop: float = _in(
        "guidance",
        0.0,
        "Share of every view's patches that vision transformers (ViT-B-32) do not see, others in "
        "each step: quicker steps, noisier gradients.",
        ge=0,
        le=0.9,
    )
    compose: float = _in(
        "guidance",
        1.0,
        "How much the starter is to make a single subject large and in the middle, where the "
        "prompt says neither its size nor its place; unless 0, several get a place each.",
        ge=0,
        le=4,
    )
    losses: dict[str, float] = _in(
        "guidance",
        {"smoothness": 0.5, "framing": 0.3},
        "Further losses and their weights, as smoothness:0.5,symmetry:1->vertical; empty for none.",
    )
    filters: str = _in(
        "guidance",
        "",
        "What changes the picture before it is looked at and shown, in order: lookup,tiler:0.5.",
    )

    learning_rate: float = _in(
        "optimization", 1.0, "Multiplies every learning rate of the drawer.", gt=0, le=100
    )
    learning_rate_drops: tuple[float, ...] = _in(
        "optimization",
        (75.0,),
        "Percent of the run at which learning rates fall to a tenth, as 75 or 50,75.",
    )
    schedule: Literal["drops", "cosine", "constant"] = _in(
        "optimization", "drops", "How learning rates change over the run."
    )
    starts: int | None = _in(
        "optimization",
        None,
        "Random starts that are tried, of which the best is drawn to the end; default: the "
        "quality's.",
        ge=1,
        le=MAX_STARTS,
    )
    auto_stop: bool = _in(
        "optimization", False, "Stop when the loss no longer falls (drops the rates first)."
    )
    patience: int = _in(
        "optimization", 30, "Steps without a better smoothed loss before auto_stop acts.", ge=2
    )
    stop_score: float | None = _in(
        "optimization", None, "Stop once the smoothed score reaches this.", ge=-1, le=1
    )
    keep: Literal["last", "best"] = _in(
        "optimization", "last", "Which picture is the result: the last, or the best by score."
    )

    display_every: int = _in(
        "output", 20, "Show or yield an intermediate picture every so many steps; 0 = none.", ge=0
    )
    make_video: bool = _in("output", False, "Also make a video of the making.")
    video_format: Literal["mp4", "gif", "webp"] = _in("output", "mp4", "Format of the video.")
    output_format: Literal["png", "webp", "jpg", "svg"] = _in(
        "output", "png", "Format of the picture; svg is for drawers made of shapes."
    )

    # ---- reading ---------------------------------------------------------------------------

    @classmethod
    def of(cls, /, **values: Any) -> Self:
        """Make settings from keyword values under today's or an old name.

        Raises:
            SettingsError: one readable line for everything that is wrong.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise explain(error, cls) from None

    @model_validator(mode="before")
    @classmethod
    def _modern_names(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            raise SettingsError(f"settings must be a mapping, not {type(values).__name__}")
        modern = aliases.modernize(
            {str(k): v for k, v in values.items()},
            lambda old, new: SettingsError(f"{old!r} and {new!r} are the same setting: give one"),
        )
        return weighted.spread(modern)

    @field_validator("prompts", mode="before")
    @classmethod
    def _prompts(cls, value: Any) -> Any:
        strings = [value] if isinstance(value, str) else value
        if not isinstance(strings, list | tuple) or not all(isinstance(s, str) for s in strings):
            raise SettingsError(f"prompts must be text or a list of texts, not {value!r}")
        asking.check(tuple(strings), "prompts")
        return tuple(strings)

    @field_validator("styles", mode="before")
    @classmethod
    def _styles(cls, value: Any) -> Any:
        return tuple(str(choice) for choice in parse_styles(value))

    @field_validator("display_every", mode="before")
    @classmethod
    def _display_every(cls, value: Any, info: Any) -> Any:
        """Read "20 iterations" and "5%" too."""
        if not isinstance(value, str):
            return value
        moment = parse_moment(value, "display_every")
        preset = PRESETS[info.data.get("quality", "normal")]
        steps = moment.step(info.data.get("iterations") or preset.iterations)
        return max(steps, 1) if moment.amount > 0 else 0

    @field_validator("drawer", "cutouts")
    @classmethod
    def _registered(cls, value: str, info: Any) -> str:
        kind = "drawers" if info.field_name == "drawer" else "cutouts"
        return registry.find(kind, value).name

    @field_validator("size", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return sizes.parse_size(value)

    @field_validator("aspect")
    @classmethod
    def _aspect(cls, value: str) -> str:
        sizes.parse_aspect(value)
        return value.strip()

    @field_validator("seed", mode="before")
    @classmethod
    def _seed(cls, value: Any) -> Any:
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            raise SettingsError("seed must be a number or words, not true or false")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
            value = int(value)
        if isinstance(value, int) and not 0 <= value <= MAX_SEED:
            raise SettingsError(f"seed {value} is out of range: 0 to {MAX_SEED}, or any words")
        if isinstance(value, str) and len(value) > 200:
            raise SettingsError(f"seed has {len(value)} characters, at most 200 are accepted")
        return value

    @field_validator("palette")
    @classmethod
    def _palette(cls, value: str) -> str:
        check_palette(value)
        return value

    @field_validator("losses", mode="before")
    @classmethod
    def _losses(cls, value: Any) -> Any:
        return {item.name: item.weight for item in weighted.read_items(value, "losses")}

    @field_validator("filters", mode="before")
    @classmethod
    def _filters(cls, value: Any) -> Any:
        items = weighted.read_items("" if value is None else value, "filters")
        for item in items:
            if not 0 <= item.weight <= 1:
                raise SettingsError(
                    f"filters: the weight {item.weight:g} of {item.name!r} is out of range: 0 (not "
                    "at all) to 1 (fully)"
                )
        return weighted.write_items(items)

    @field_validator("learning_rate_drops", mode="before")
    @classmethod
    def _drops(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        parts = [parts] if isinstance(parts, int | float) else parts
        try:
            drops = tuple(
                sorted(float(str(p).strip().rstrip("%")) for p in parts if str(p).strip())
            )
        except (TypeError, ValueError):
            drops = (-1.0,)
        if any(not 0 <= drop <= 100 for drop in drops):
            raise SettingsError(
                f"learning_rate_drops {value!r}: give percents from 0 to 100, as 50,75"
            )
        return drops

    # ---- what follows from the settings ----------------------------------------------------

    @property
    def preset(self) -> Preset:
        """The row that the quality stands for."""
        return PRESETS[self.quality]

    @property
    def steps(self) -> int:
        """Optimizer steps: explicit, else the quality's."""
        return self.iterations if self.iterations is not None else self.preset.iterations

    def cuts_for(self, size: int) -> int:
        """Return the views per step: explicit, else the quality's for perceptors of a size."""
        if self.cuts is not None:
            return self.cuts
        return self.preset.cuts if size > SMALL else self.preset.small_cuts

    @property
    def starts_tried(self) -> int:
        """Random starts that are tried: explicit, else the quality's."""
        return self.starts if self.starts is not None else self.preset.starts

    def canvas_size(self, init_size: tuple[int, int] | None = None) -> tuple[int, int]:
        """Return (width, height) in pixels; `init_size` serves the aspect "retain"."""
        if self.size is not None:
            return self.size
        scale = self.scale if self.scale is not None else self.preset.scale
        return sizes.size_of(self.aspect, scale, init_size, self.preset.base)

    def options(self, name: str) -> Any:
        """Return the options of a component by its name, or None when it has none."""
        return getattr(self, name, None) if name in option_models() else None

    @property
    def story(self) -> tuple[tuple[Prompt, ...], ...]:
        """The scenes of `prompts` once choices are made: see `chosen`; mostly there is one.

        Raises:
            PromptError: nothing is asked for, or a choice is not made yet.
        """
        return asking.story_of(self)

    def chosen(self, seed: int | str) -> Self:
        """Return a copy with this seed and the choices that it makes in prompts.

        Raises:
            PromptError: what comes out cannot be read.
        """
        return self.changed(seed=seed, **asking.chosen(self, seed))

    def changed(self, **values: Any) -> Self:
        """Return a copy with other values, validated."""
        return type(self).of(**{**self.given(), **values})

    def given(self) -> dict[str, Any]:
        """Return what differs from the defaults, as plain JSON-able values."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def to_json(self) -> str:
        """Write what differs from the defaults as JSON."""
        return json.dumps(self.given(), ensure_ascii=False, sort_keys=True)


def option_models() -> dict[str, type[BaseModel]]:
    """Return the options model of every component that has one, by component name."""
    models: dict[str, type[BaseModel]] = {}
    for kind in registry.KINDS:
        for component in registry.components(kind).values():
            model = component.load_options()
            if model is None:
                continue
            if component.name in models or component.name in CoreSettings.model_fields:
                raise SettingsError(
                    f"options of {kind} {component.name!r} ({component.owner}) clash with another "
                    "setting of that name"
                )
            models[component.name] = model
    return models


if TYPE_CHECKING:
    Settings = CoreSettings
else:
    Settings = create_model(
        "Settings",
        __base__=CoreSettings,
        __module__=__name__,
        __doc__=CoreSettings.__doc__,
        **{
            name: (model, Field(default_factory=model, json_schema_extra={"group": name}))
            for name, model in option_models().items()
        },
    )
