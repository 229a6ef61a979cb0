"""Routes of what there is to choose from, and of how what was written is read."""

from __future__ import annotations

from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from text2art.studio.api import choices, readings
from text2art.studio.api.bodies import file_body
from text2art.studio.api.context import Ctx
from text2art.studio.faults import about
from text2art.studio.restore import restore

router = APIRouter(tags=["catalog"])
_KEPT = {"Cache-Control": "private, max-age=300"}


class LeftOutShape(BaseModel):
    """A setting that was not taken over."""

    name: str
    reason: str


class Recalled(BaseModel):
    """What a picture says about how it was drawn."""

    settings: dict[str, Any]
    ignored: list[LeftOutShape]
    version: str


@router.get("/settings")
def settings_table(context: Ctx, response: Response) -> choices.SettingsShape:
    """Return every setting: its kind, default, limits, help and group."""
    response.headers.update(_KEPT)
    return choices.settings_table(context.config.caps)


@router.get("/styles")
def styles_list(response: Response) -> choices.Styles:
    """Return all styles by category."""
    response.headers.update(_KEPT)
    return choices.all_styles()


@router.get("/palettes")
def palettes_list(response: Response) -> choices.Palettes:
    """Return all palettes that have a name."""
    response.headers.update(_KEPT)
    return choices.all_palettes()


@router.post("/palettes/read")
def palette_read(asked: readings.PaletteText) -> readings.Colors:
    """Read a palette in words into colors."""
    return readings.read_palette(asked)


@router.post("/prompt")
def prompt(asked: readings.PromptText) -> readings.PromptReading:
    """Say how prompts are read: what the seed chooses, weights, windows, regions, unknown words."""
    return readings.read_prompt(asked)


@router.post(
    "/recall",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
                "image/*": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def recall(request: Request, context: Ctx) -> Recalled:
    """Return the settings inside a picture of text2art: PNG, WebP, JPEG or SVG.

    What does not fit here is left out and said; files of the machine that drew it always are.
    """
    most = context.config.caps.upload_bytes
    sent = await file_body(request, most)

    def read() -> Recalled:
        found = restore(
            sent.data,
            sent.name,
            max_bytes=most,
            exists=lambda key: context.uploads.find(key) is not None,
        )
        return Recalled(
            settings=found.settings,
            ignored=[LeftOutShape(name=one.name, reason=one.reason) for one in found.left_out],
            version=found.version,
        )

    with about("file"):
        return await anyio.to_thread.run_sync(read)
