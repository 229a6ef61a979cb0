"""What pydantic reports about settings, said in one readable line."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from text2art import aliases
from text2art.errors import SettingsError, Text2ArtError, did_you_mean


def explain(error: ValidationError, model: type[BaseModel]) -> SettingsError:
    """Turn pydantic's report into one line; our own errors pass as they are."""
    lines: list[str] = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, Text2ArtError):
            if len(error.errors()) == 1 and isinstance(cause, SettingsError):
                return cause
            lines.append(str(cause))
        elif item["type"] == "extra_forbidden":
            known = _names_at(model, item["loc"][:-1])
            lines.append(f"unknown setting {name!r}.{did_you_mean(str(item['loc'][-1]), known)}")
        else:
            lines.append(f"{name}: {item['msg']}, given {_short(item.get('input'))}")
    return SettingsError("; ".join(lines))


def _names_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    tables = (
        aliases.RENAMED,
        aliases.NESTED,
        aliases.STROKES,
        aliases.SWITCHES,
        aliases.SCALED,
    )
    old = [name for table in tables for name in table] if not path else []
    return [*model.model_fields, *old]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
