"""Settings of what a run leaves behind on its way: pictures in between, and the film of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, field_validator, model_validator
from typing_extensions import Self

from text2art.errors import SettingsError
from text2art.moments import parse_moment


def _in(default: Any, description: str, **limits: Any) -> Any:
    return Field(default, description=description, json_schema_extra={"group": "output"}, **limits)


class FilingSettings(BaseModel):
    """The part of the core settings that decides files, and never the picture."""

    save_every: str = _in(
        "",
        "Write the picture as far as it got every so often: '50 iterations', or a share: '10%'. "
        "Empty: at the end alone.",
    )
    save_intermediates: bool = _in(
        False,
        "Keep the pictures in between, each under a name of its own, in a folder beside the "
        "picture: those of save_every, else those of display_every.",
    )
    video_seconds: float | None = _in(
        None,
        "Length of the video, the hold and the way back included. Default: by the frame rate.",
        ge=0.1,
        le=600,
    )
    video_fps: float | None = _in(
        None,
        "Steps shown per second of video; default: what makes it 14 s, between 10 and 60.",
        ge=0.1,
        le=240,
    )
    video_hold: float = _in(1.0, "Seconds that the video stays at the result.", ge=0, le=60)
    video_ping_pong: bool = _in(False, "Let the video go back to its beginning after the result.")

    @field_validator("save_every", mode="before")
    @classmethod
    def _save_every(cls, value: Any) -> Any:
        text = "" if value is None else str(value).strip()
        return text if text in ("", "0") else every(text, "save_every")

    @model_validator(mode="after")
    def _one_pace(self) -> Self:
        if self.video_seconds is None:
            return self
        if self.video_fps is not None:
            raise SettingsError(
                f"video_seconds {self.video_seconds:g} and video_fps {self.video_fps:g} both set "
                "how fast the video is: give one"
            )
        if self.video_seconds <= self.video_hold:
            raise SettingsError(
                f"video_seconds {self.video_seconds:g} leaves no time to move: the result is held "
                f"for {self.video_hold:g} s (video_hold)"
            )
        return self

    def save_interval(self, steps: int) -> int:
        """Return after how many steps of a run the picture so far is written; 0 = never."""
        if self.save_every in ("", "0"):
            return 0
        return max(1, parse_moment(self.save_every, "save_every").step(steps))


def every(value: Any, name: str) -> str:
    """Check that a value says how often: steps, or a share of the run.

    Raises:
        SettingsError: it does not, or means always.
    """
    moment = parse_moment(value, name)
    if moment.amount <= 0 or (moment.amount < 1 and not moment.percent):
        raise SettingsError(f"{name} {value!r} is out of range: 1 or more steps, or above 0%")
    return str(value).strip()
