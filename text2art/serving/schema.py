"""The OpenAPI schema of `predict.py`, made without running it and without the cog command.

Cog's server checks requests against `.cog/openapi_schema.json` in its working folder and refuses
to stream without it. `cog build` writes that file from the source text; where there is no build,
this module does, by the same rules: `predict.py` is parsed and never imported. The layout is that
of cog 0.23.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from text2art.media.files import write_bytes
from text2art.serving.signature import Field, read

FILE = Path(".cog/openapi_schema.json")
COG_VERSION = "0.23.1"
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "int": {"type": "integer"},
    "str": {"type": "string"},
    "Path": {"type": "string", "format": "uri"},
}
# What `Input(...)` calls its arguments, and what the schema calls them.
_KEYWORDS: Mapping[str, str] = {
    "description": "description",
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
    "deprecated": "deprecated",
    "accept": "x-cog-accept",
}


def provide(folder: Path, source: Path) -> Path:
    """Write the schema of `source` into a working folder, unless a newer one is there.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / FILE
    if path.exists() and path.stat().st_mtime >= source.stat().st_mtime:
        return path
    spec = openapi(source.read_text(encoding="utf-8"))
    return write_bytes(path, json.dumps(spec, separators=(",", ":")).encode())


def openapi(source: str, name: str = "Predictor") -> dict[str, Any]:
    """Return the OpenAPI document of a predictor.

    Args:
        source: text of a `predict.py`.
        name: class of the predictor in it.

    Raises:
        ValueError: the class is not there, or cannot be described without being run.
    """
    signature = read(source, name)
    properties: dict[str, Any] = {}
    enums: dict[str, Any] = {}
    for order, field in enumerate(signature.inputs):
        properties[field.name], enum = _property(order, field)
        if enum is not None:
            enums[field.name] = enum
    schema: dict[str, Any] = {"title": "Input", "type": "object", "properties": properties}
    required = [f.name for f in signature.inputs if "default" not in f.arguments and not f.optional]
    if required:
        schema["required"] = required
    output = {
        "title": "Output",
        "type": "array",
        "items": dict(_TYPES[signature.yields]),
        "x-cog-array-type": "iterator",
    }
    return _document(schema, output, enums, signature.streams)


def _property(order: int, field: Field) -> tuple[dict[str, Any], dict[str, Any] | None]:
    given = field.arguments
    result: dict[str, Any] = {"x-order": order}
    enum = None
    if given.get("choices"):
        result["allOf"] = [_ref(field.name)]
        enum = _enumeration(field.name, given["choices"], str(_TYPES[field.type]["type"]))
    else:
        result["title"] = _title(field.name)
        result.update(_TYPES[field.type])
    if "default" in given:
        result["default"] = given["default"]
    if field.optional:
        result["nullable"] = True
    for ours, theirs in _KEYWORDS.items():
        if given.get(ours) is not None:
            result[theirs] = given[ours]
    return result, enum


def _document(
    inputs: dict[str, Any], output: dict[str, Any], enums: dict[str, Any], streams: bool
) -> dict[str, Any]:
    predict: dict[str, Any] = {
        "summary": "Predict",
        "description": "Run a single prediction on the model",
        "operationId": "predict_predictions_post",
        "requestBody": {"content": _json(_ref("PredictionRequest"))},
        "responses": {"200": _ok(_ref("PredictionResponse")), "422": _INVALID},
    }
    if streams:
        predict["x-cog-streaming"] = True
    cancel = {
        "summary": "Cancel",
        "operationId": "cancel_predictions__prediction_id__cancel_post",
        "parameters": [
            {
                "required": True,
                "schema": {"title": "Prediction Id", "type": "string"},
                "name": "prediction_id",
                "in": "path",
            }
        ],
        "responses": {"200": _ok({}), "422": _INVALID},
    }
    paths = {
        "/": {"get": _plain("Root", "root__get")},
        "/health-check": {"get": _plain("Healthcheck", "healthcheck_health_check_get")},
        "/predictions": {"post": predict},
        "/predictions/{prediction_id}/cancel": {"post": cancel},
    }
    schemas = {"Input": inputs, "Output": output, **enums, **_FIXED}
    info = {"title": "Cog", "version": COG_VERSION}
    return {"openapi": "3.0.2", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _title(name: str) -> str:
    return " ".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ok(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Successful Response", "content": _json(schema)}


def _plain(summary: str, operation: str) -> dict[str, Any]:
    return {"summary": summary, "operationId": operation, "responses": {"200": _ok({})}}


def _enumeration(title: str, values: Sequence[Any], kind: str) -> dict[str, Any]:
    description = "An enumeration."
    return {"title": title, "description": description, "enum": list(values), "type": kind}


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "type": "object", "properties": properties}


def _text(title: str, **more: str) -> dict[str, Any]:
    return {"title": title, "type": "string", **more}


_INVALID = {"description": "Validation Error", "content": _json(_ref("HTTPValidationError"))}
_STATES = ("starting", "processing", "succeeded", "canceled", "failed")
_LOCATION = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
_FIXED: Mapping[str, Any] = {
    "PredictionRequest": _object("PredictionRequest", {"id": _text("Id"), "input": _ref("Input")}),
    "PredictionResponse": _object(
        "PredictionResponse",
        {
            "input": _ref("Input"),
            "output": _ref("Output"),
            "id": _text("Id"),
            "version": _text("Version"),
            "created_at": _text("Created At", format="date-time"),
            "started_at": _text("Started At", format="date-time"),
            "completed_at": _text("Completed At", format="date-time"),
            "status": _text("Status"),
            "error": _text("Error"),
            "logs": _text("Logs"),
            "metrics": {"title": "Metrics", "type": "object"},
        },
    ),
    "Status": _enumeration("Status", _STATES, "string"),
    "HTTPValidationError": _object(
        "HTTPValidationError",
        {"detail": {"title": "Detail", "type": "array", "items": _ref("ValidationError")}},
    ),
    "ValidationError": {
        **_object(
            "ValidationError",
            {
                "loc": {"title": "Location", "type": "array", "items": _LOCATION},
                "msg": _text("Message"),
                "type": _text("Error Type"),
            },
        ),
        "required": ["loc", "msg", "type"],
    },
}
