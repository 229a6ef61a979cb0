"""Options of the cutout recipes."""

from __future__ import annotations

from pydantic import Field

from text2art.options import Options


class ViewOptions(Options):
    """How the picture is looked at: whole views early, zooms late."""

    zoom_start: float = Field(0.1, ge=0, le=1, description="Share of zoomed views at the start.")
    zoom_end: float = Field(0.3, ge=0, le=1, description="Share of zoomed views at the end.")
    zoom_min: float = Field(
        0.6, gt=0, le=1, description="Smallest side of a zoom, of the short side."
    )
    zoom_max: float = Field(
        0.9, gt=0, le=1, description="Largest side of a zoom, of the short side."
    )
    whole_min: float = Field(
        0.9, gt=0, le=4, description="Smallest side of a whole view, of the picture's."
    )
    whole_max: float = Field(
        1.15,
        gt=0,
        le=4,
        description="Largest side of a whole view; above 1 it looks past the edge.",
    )
    rotation: float = Field(15.0, ge=0, le=180, description="Largest rotation of a view, degrees.")
    perspective: float = Field(0.25, ge=0, le=0.9, description="Largest perspective distortion.")
    flip: float = Field(0.0, ge=0, le=1, description="Share of views mirrored left to right.")
    jitter: float = Field(
        0.05, ge=0, le=1, description="Brightness, contrast, saturation, hue jitter."
    )
    noise: float = Field(0.08, ge=0, le=1, description="Largest standard deviation of added noise.")
