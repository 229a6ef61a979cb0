"""What the body of a request asks for: settings, and how the job is treated, side by side.

The body is flat: settings under today's names or old ones, and beside them a few options that are
no settings. The schema shown to clients is made from the settings themselves.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from text2art.explain import explain
from text2art.settings import Settings
from text2art.studio.faults import blamed, fault
from text2art.studio.service import MAX_KEY

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same key and request again gives the same jobs again.",
        max_length=MAX_KEY,
    ),
]


class Options(BaseModel):
    """How jobs are treated; nothing here decides a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: int = Field(1, ge=1, le=100, description="Jobs; their seeds follow one another.")
    public: bool | None = Field(
        None, description="Whether the picture goes into the gallery; default: the studio's."
    )
    email: str | None = Field(None, max_length=320, description="Who is told when it is done.")
    webhook_url: str | None = Field(
        None, max_length=2000, description="Address that is told, signed, when it is over."
    )
    priority: int = Field(0, ge=-100, le=100, description="Among your own jobs: the greater first.")
    delay: float = Field(0.0, ge=0, le=86_400, description="Seconds before it may start.")


@dataclass(frozen=True)
class Wish:
    """A request, taken apart.

    Attributes:
        step: which picture to continue from; None = the last.
    """

    settings: Mapping[str, Any]
    options: Options
    step: int | None = None


def read(body: object, *, continuing: bool = False) -> Wish:
    """Take the body of a request apart.

    Raises:
        SettingsError: it is no JSON object, or an option is out of range.
    """
    if not isinstance(body, dict):
        raise fault("body", 'send a JSON object of settings, as {"prompts": "a red apple"}')
    names = Options.model_fields
    step = body.get("step") if continuing else None
    if step is not None and (type(step) is not int or not 0 <= step <= 10**6):
        raise fault("step", f"step {str(step)[:40]!r} is no step: give a number, as 60")
    if continuing and "count" in body:
        raise fault("count", "count: a job is continued once; ask again for another")
    try:
        options = Options.model_validate({n: v for n, v in body.items() if n in names})
    except ValidationError as error:
        raise blamed(explain(error, Options), str(error.errors()[0]["loc"][0])) from None
    left = {*names, "step"} if continuing else set(names)
    return Wish({n: v for n, v in body.items() if n not in left}, options, step)


@functools.cache
def schema(*, continuing: bool = False) -> dict[str, Any]:
    """Return the JSON schema of a body, its definitions inline."""
    settings = Settings.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    inlined: dict[str, Any] = _inlined(settings, settings.get("$defs", {}))
    options = Options.model_json_schema()
    properties = {**inlined["properties"], **options["properties"]}
    if continuing:
        del properties["count"]
        properties["step"] = {
            "title": "Step",
            "type": "integer",
            "minimum": 0,
            "description": "Whose picture to continue from; default: the last.",
        }
    # What settings also read, beyond their types: a single text for texts, "WxH" for sizes.
    for name in ("prompts", "styles"):
        properties[name] = {**properties[name], "anyOf": _text_or(properties[name])}
        properties[name].pop("type", None), properties[name].pop("items", None)
    properties["size"] = {
        "description": properties["size"].get("description", ""),
        "anyOf": [
            {"type": "string", "examples": ["384x384"]},
            {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
            {"type": "null"},
        ],
        "default": None,
    }
    return {
        "title": "ContinueRequest" if continuing else "JobRequest",
        "type": "object",
        "description": "Settings, and how the job is treated. Old names of settings are read, too.",
        "properties": properties,
        "additionalProperties": True,
    }


def body(*, continuing: bool = False) -> dict[str, Any]:
    """Return the `openapi_extra` of an operation that takes such a body."""
    example: dict[str, Any] = {"prompts": "a lighthouse at night", "drawer": "pixel"}
    if continuing:
        example = {"iterations": 100}
    content = {"application/json": {"schema": schema(continuing=continuing), "example": example}}
    return {"requestBody": {"required": not continuing, "content": content}}


def _text_or(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "string"}, {"type": "array", "items": copy.deepcopy(one.get("items", {}))}]


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema without references: it is shown within another document."""
    if isinstance(part, dict):
        if "$ref" in part:
            name = str(part["$ref"]).rpartition("/")[2]
            rest = {key: value for key, value in part.items() if key != "$ref"}
            return {**_inlined(definitions[name], definitions), **_inlined(rest, definitions)}
        return {key: _inlined(value, definitions) for key, value in part.items() if key != "$defs"}
    if isinstance(part, list):
        return [_inlined(item, definitions) for item in part]
    return part
