"""What pydantic reports about settings, said in one readable line."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from text2art import aliases
from text2art.errors import SettingsError, Text2ArtError, did_you_mean

_MOST_SUGGESTED = 5  # unknown names that near ones are looked for: each takes milliseconds


def explain(error: ValidationError, model: type[BaseModel]) -> SettingsError:
    """Turn pydantic's report into one line; our own errors pass as they are."""
    lines: list[str] = []
    items = error.errors(include_url=False)
    unknown = 0
    for item in items:
        name = ".".join(str(part) for part in item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, Text2ArtError):
            if len(items) == 1 and isinstance(cause, SettingsError):
                return cause
            lines.append(str(cause))
        elif item["type"] == "extra_forbidden":
            unknown += 1
            near = _near(model, item["loc"]) if unknown <= _MOST_SUGGESTED else ""
            lines.append(f"unknown setting {name!r}.{near}")
        else:
            lines.append(f"{name}: {item['msg']}, given {_short(item.get('input'))}")
    return SettingsError("; ".join(lines))


def _near(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """Return a suggestion for a name at the end of a path, or ""."""
    return did_you_mean(str(path[-1]), _names_at(model, path[:-1]))


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
