"""Read the configuration that lies beside a checkpoint, or inside a converted one. Free of torch.

taming's configurations are OmegaConf's YAML. They are data: what would look things up
(`${oc.env:HOME}`), build objects (`!!python/...`) or swell without bound (aliases of aliases) is
refused.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import yaml

from text2art.errors import WeightsCorrupt, WeightsMissing

MOST_BYTES = 1_000_000
_MOST_VALUES = 10_000
_DEEPEST = 40
_ENDINGS = (".yaml", ".yml", ".json")
_MOST_HEADER = 100_000_000  # bytes; what safetensors itself allows
_LENGTH = struct.Struct("<Q")


def read_config(path: Path) -> dict[str, Any]:
    """Read a model's configuration from YAML or, where the file ends so, JSON.

    Returns:
        Plain values: dicts, lists, text, numbers, truth values, None.

    Raises:
        WeightsMissing: there is no such file.
        WeightsCorrupt: longer than 1 MB, broken, no mapping, or not plain data: interpolations,
            values left open (`???`), tags, aliases that swell.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise WeightsCorrupt(f"{path} is no model configuration: it is longer than 1 MB")
        text = data.decode("utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else _from_yaml(text)
        plain = _plain(content, 0)
    except FileNotFoundError:
        raise WeightsMissing(f"the configuration {path} is not there") from None
    except OSError as error:
        raise WeightsMissing(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300] or "nested too deeply"
        raise WeightsCorrupt(f"{path} is no model configuration: {reason}") from error
    if not isinstance(plain, dict):
        raise WeightsCorrupt(f"{path} is no model configuration: it holds no names and values")
    return plain


def config_beside(checkpoint: Path) -> Path | None:
    """Return the configuration that belongs to a checkpoint by its place, or None.

    That is `NAME.yaml`, `.yml` or `.json` beside `NAME.ckpt`; else, in the folders of taming's
    runs, `model.yaml` beside it, or under `configs/` beside it or one folder up; else the only
    `*-project.yaml` of `../configs/`.
    """
    folder = checkpoint.parent
    configs = checkpoint.absolute().parent.parent / "configs"
    places = [
        *(checkpoint.with_suffix(ending) for ending in _ENDINGS),
        folder / "model.yaml",
        folder / "configs" / "model.yaml",
        configs / "model.yaml",
    ]
    for place in places:
        if place != checkpoint and place.is_file():
            return place
    projects = [path for path in configs.glob("*-project.yaml") if path.is_file()]
    return projects[0] if len(projects) == 1 else None


def metadata(path: Path) -> dict[str, str]:
    """Return the notes in the header of a safetensors file; {} when it has none.

    Raises:
        WeightsMissing: there is no such file.
        WeightsCorrupt: it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
            if length > min(_MOST_HEADER, path.stat().st_size - _LENGTH.size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        notes = header.get("__metadata__", {})
        return {str(name): str(value) for name, value in notes.items()}
    except FileNotFoundError:
        raise WeightsMissing(f"weight file {path} is not there") from None
    except OSError as error:
        raise WeightsMissing(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, AttributeError, struct.error, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsCorrupt(f"{path} is not a safetensors file: {reason}") from error


def embedded(path: Path) -> dict[str, Any] | None:
    """Return the configuration that `text2art weights convert` put into a safetensors file.

    Returns:
        None where there is none, or where the file does not end in `.safetensors`.

    Raises:
        WeightsMissing: there is no such file.
        WeightsCorrupt: it is no safetensors file, or what it holds is no configuration.
    """
    if path.suffix != ".safetensors":
        return None
    text = metadata(path).get("config")
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsCorrupt(f"the configuration in {path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsCorrupt(f"the configuration in {path} is no table of names and values")
    return content


# ---- YAML --------------------------------------------------------------------------------------


def _from_yaml(text: str) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _check_yaml(text)
    try:
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except OmegaConfBaseException as error:
        raise ValueError(str(error)) from error


def _check_yaml(text: str) -> None:
    """Refuse, from the stream of events alone, what must not come before a constructor.

    Every alias counts as all that it stands for.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    sizes: dict[str, int] = {}
    open_: list[
        tuple[str | None, int]
    ] = []  # of what is not closed yet: its anchor, where it began
    count = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_.pop()
            if anchor is not None:
                sizes[anchor] = count - start
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"alias *{event.anchor} stands for nothing before it")
            count += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise ValueError(f"tags such as {tag!r} are not accepted: they may build objects")
            if not count and not isinstance(event, yaml.MappingStartEvent):
                break  # OmegaConf would make a name of a lone text
            count += 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append((event.anchor, count - 1))
            elif isinstance(event, yaml.ScalarEvent):
                _check_text(event.value)
                sizes |= {event.anchor: 1} if event.anchor is not None else {}
        if count > _MOST_VALUES:
            raise ValueError(f"with its aliases it holds more than {_MOST_VALUES} values")
        if len(open_) > _DEEPEST:
            raise ValueError("nested too deeply")
    if not count:
        raise ValueError("it holds no names and values")


# ---- plain values ------------------------------------------------------------------------------


def _plain(value: Any, depth: int) -> Any:
    """Return the same with text for all names, and no text that stands for something else."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return _check_text(value)
    if isinstance(value, dict):
        return {_check_text(str(k)): _plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    return value


def _check_text(text: str) -> str:
    if "${" in text:
        raise ValueError(
            f"{text[:80]!r} is an interpolation, which would look its value up elsewhere: "
            "write the value itself"
        )
    if text == "???":
        raise ValueError("a value is left open (???): write it in")
    return text
