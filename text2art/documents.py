"""Whether what some settings draw can be written as shapes, known before it is drawn."""

from __future__ import annotations

from text2art import registry
from text2art.abilities import SvgSource
from text2art.media.svg import DrawingSource
from text2art.parts import changing_names
from text2art.settings import Settings


def reason_against(settings: Settings, *, animated: bool = False) -> str | None:
    """Say why the picture cannot be an SVG and what to change, or return None where it can.

    Args:
        settings: of the run.
        animated: whether it is to show the making.
    """
    ability = DrawingSource if animated else SvgSource

    def has_shapes(name: str) -> bool:
        build = registry.find("drawers", name).load()
        return not isinstance(build, type) or issubclass(build, ability)

    if not has_shapes(settings.drawer):
        able = ", ".join(name for name in registry.components("drawers") if has_shapes(name))
        return f"the drawer {settings.drawer!r} makes no shapes to write as SVG: use one of {able}"
    if settings.protect:
        return "an SVG cannot hold the protected part of a picture: leave out protect"
    for name in changing_names(settings):
        return f"an SVG cannot hold what the filter {name} makes of a picture: leave the filter out"
    return None
