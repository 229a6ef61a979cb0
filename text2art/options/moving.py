"""Settings of what a run starts from, what is put over it, and how pictures follow each other."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, field_validator

from text2art.errors import SettingsError, did_you_mean
from text2art.moments import parse_course, parse_moment

MAX_FRAMES = 2000  # of an animation
OptimizerName = Literal[
    "Adam", "AdamW", "Adagrad", "Adamax", "RAdam", "RMSprop", "DiffGrad", "AdamP"
]
# Least and largest value of each course of an animation.
COURSES = {
    "animation_zoom": (0.5, 2.0),
    "animation_angle": (-180.0, 180.0),
    "animation_shift_x": (-100.0, 100.0),
    "animation_shift_y": (-100.0, 100.0),
}


def _in(group: str, default: Any, description: str, **limits: Any) -> Any:
    return Field(default, description=description, json_schema_extra={"group": group}, **limits)


class MovingSettings(BaseModel):
    """The part of the core settings that says how pictures begin and follow each other."""

    init_alpha: float = _in(
        "start", 1.0, "How opaque the init image lies over what is beneath it.", ge=0, le=1
    )
    init_noise: Literal["none", "pixels", "gradient", "snow"] = _in(
        "start",
        "none",
        "What the picture starts from, or what lies beneath the init image: clouds of pixels, a "
        "gradient, snow, or none of them: what the drawer itself starts from.",
    )
    image_fit: Literal["cover", "contain", "stretch"] = _in(
        "start",
        "cover",
        "How init image, protect mask, overlay and frames fill the picture: cover cuts off what is "
        "too much, contain shows all and leaves the rest as it is, stretch gives up the aspect.",
    )

    overlay_image: str = _in(
        "overlay", "", "Picture that is pasted over the drawing again and again: a file or URL."
    )
    overlay_alpha: float = _in(
        "overlay",
        1.0,
        "How opaque the overlay is pasted, times its own alpha; above 1 it counts to 255, as in "
        "pixray.",
        ge=0,
        le=1,
    )
    overlay_every: str = _in(
        "overlay", "10 iterations", "How often it is pasted: '10 iterations', or a share: '5%'."
    )
    overlay_offset: str = _in("overlay", "0 iterations", "When it is pasted first.")
    overlay_until: str = _in("overlay", "", "When it is pasted no more; empty: to the end.")

    transparent: bool = _in(
        "transparency", False, "Draw on nothing: a picture with alpha, for PNG, WebP and GIF."
    )
    transparent_weight: float = _in(
        "transparency",
        0.4,
        "How much opacity costs in transparent pictures: more leaves less of them.",
        ge=0,
        le=1000,
    )

    animation_frames: int = _in(
        "animation",
        0,
        "Pictures of a zoom video: each is the last one, moved, and drawn on; 0 = no video. With "
        "animation_dir: how many of its pictures are taken; 0 = all.",
        ge=0,
        le=MAX_FRAMES,
    )
    animation_steps: int = _in(
        "animation",
        15,
        "Optimizer steps for each picture after the first, which gets iterations.",
        ge=1,
        le=1000,
    )
    animation_zoom: str = _in(
        "animation", "1.03", "Enlargement from picture to picture, or its course: '0:1, 50%:1.05'."
    )
    animation_angle: str = _in(
        "animation", "0", "Degrees that pictures turn clockwise, or their course."
    )
    animation_shift_x: str = _in(
        "animation", "0", "Percent of the width that pictures move right, or their course."
    )
    animation_shift_y: str = _in(
        "animation", "0", "Percent of the height that pictures move down, or their course."
    )
    animation_dir: str = _in(
        "animation", "", "Folder of pictures, each drawn over in turn: frames of a film, by name."
    )
    animation_alpha: float = _in(
        "animation",
        0.5,
        "How much of the last result is blended into the next picture of animation_dir; above 1 it "
        "counts to 255, as in pixray.",
        ge=0,
        le=1,
    )

    optimizer: OptimizerName = _in("optimization", "Adam", "Who follows the gradient.")
    batches: int = _in(
        "optimization",
        1,
        "Passes of a step, each with views of its own; their gradients add up.",
        ge=1,
        le=64,
    )

    @field_validator("overlay_alpha", "animation_alpha", mode="before")
    @classmethod
    def _levels(cls, value: Any) -> Any:
        """Read pixray's 0 to 255; 1 is all of it, as 255 is."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            return value
        return number / 255 if 1 < number <= 255 and not isinstance(value, bool) else value

    @field_validator("overlay_every", "overlay_offset", "overlay_until", mode="before")
    @classmethod
    def _moments(cls, value: Any, info: Any) -> Any:
        if value is None or (info.field_name == "overlay_until" and str(value).strip() == ""):
            return cls.model_fields[info.field_name].default
        moment = parse_moment(value, info.field_name)
        if info.field_name == "overlay_every" and (moment.amount < 1 and not moment.percent):
            raise SettingsError(f"overlay_every {value!r} is out of range: 1 or more steps")
        return str(value).strip()

    @field_validator(*COURSES, mode="before")
    @classmethod
    def _courses(cls, value: Any, info: Any) -> Any:
        parse_course(value, info.field_name, *COURSES[info.field_name])
        return str(value).strip()

    @field_validator("optimizer", mode="before")
    @classmethod
    def _optimizer(cls, value: Any) -> Any:
        names = get_args(OptimizerName)
        known = {name.lower(): name for name in names}
        found = known.get(str(value).strip().lower())
        if found is None:
            raise SettingsError(
                f"unknown optimizer {value!r}.{did_you_mean(str(value), names)} "
                f"There are: {', '.join(names)}."
            )
        return found

    @property
    def animated(self) -> bool:
        """Whether the result is a film of pictures rather than one picture."""
        return self.animation_frames > 1 or bool(self.animation_dir)
