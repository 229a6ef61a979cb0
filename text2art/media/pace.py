"""How fast a film passes: its frame rate, its length, the hold of the result, the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from text2art.settings import Settings

SECONDS, SLOWEST, FASTEST = 14, 10, 60  # pixray's: 14 s long, 10 to 60 frames a second
HOLD = 1.0  # seconds that the result stays at the end
BOUNDS = {".gif": (80, 320), ".webp": (160, 512)}  # most frames, longest side
_MOST_BACK = 840  # frames of an MP4 that goes back, one way: they wait in a temporary file
_FASTEST = {".mp4": 60, ".gif": 50, ".webp": 60}  # what readers show at that rate


def frame_rate(frames: int) -> int:
    """Return the frames per second of a film of so many frames."""
    return round(min(max(frames / SECONDS, SLOWEST), FASTEST))


@dataclass(frozen=True)
class Pace:
    """How a film passes.

    Attributes:
        fps: frames of the run per second; None = pixray's rate, which makes most films 14 s long.
        seconds: length of the whole film, the hold and the way back included; None = by the rate.
        hold: seconds that the result stays.
        ping_pong: whether the film goes back to its beginning after the result.
    """

    fps: float | None = None
    seconds: float | None = None
    hold: float = HOLD
    ping_pong: bool = False

    def timing(self, frames: int, ending: str) -> Timing:
        """Return which frames of a run are shown, and how fast.

        Args:
            frames: how many there will be.
            ending: of the film's file.
        """
        most = BOUNDS[ending][0] if ending in BOUNDS else frames
        if self.ping_pong and ending == ".mp4":
            most = min(most, _MOST_BACK)
        stride = max(1, math.ceil(frames / most))
        if self.seconds is None:
            rate = Fraction(self.fps or frame_rate(frames)).limit_denominator(1000)
            while rate / stride > _FASTEST[ending]:
                stride += 1
            return Timing(stride, rate / stride)
        moving = max(Fraction(self.seconds - self.hold).limit_denominator(1000), Fraction(1, 100))
        while self._shown(frames, stride) / moving > _FASTEST[ending] and stride < frames:
            stride += 1
        return Timing(stride, self._shown(frames, stride) / moving)

    def _shown(self, frames: int, stride: int) -> int:
        """Return how many pictures a film holds, without the hold."""
        there = 1 + math.ceil((frames - 1) / stride)  # the last is shown whatever the stride
        return 2 * there - 1 if self.ping_pong else there


def pace_of(settings: Settings) -> Pace:
    """Return how fast the film of some settings passes."""
    return Pace(
        settings.video_fps, settings.video_seconds, settings.video_hold, settings.video_ping_pong
    )


@dataclass(frozen=True)
class Timing:
    """Which frames of a run a film shows, one in `stride`, and how many of them a second."""

    stride: int
    rate: Fraction
