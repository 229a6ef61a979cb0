"""Convert any weight file that can be read into safetensors, with its configuration and source."""

from __future__ import annotations

import contextlib
import json
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from text2art import __version__
from text2art.errors import OutputError, WeightsCorrupt, WeightsMissing
from text2art.weights import catalog, configs
from text2art.weights.safe import read_state_dict

Check = Callable[[Mapping[str, Any], Mapping[str, Tensor]], Mapping[str, Any]]
"""Given a configuration and tensors, returns the configuration to note; raises `WeightsCorrupt`, or
what wrong values raise, where they are none of its model."""

_FIRST_STAGE = "first_stage_model."
_LOSS = "loss."
_FULL = (torch.float64, torch.float32, torch.bfloat16)
_MARK = "post_quant_conv.weight"  # what all VQGANs have, and nothing else


def is_vqgan(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is of the kind that taming-transformers has."""
    node = config.get("model", config)
    params = node.get("params", node) if isinstance(node, Mapping) else None
    return isinstance(params, Mapping) and bool({"ddconfig", "first_stage_config"} & set(params))


def config_of(source: Path) -> dict[str, Any] | None:
    """Return the configuration of a VQGAN's weights: the one inside, else the one beside them.

    Raises:
        WeightsCorrupt: what lies there under its name cannot be read.
    """
    inside = configs.embedded(source)
    if inside is not None:
        return inside
    beside = configs.config_beside(source)
    config = configs.read_config(beside) if beside is not None else None
    return config if config is not None and is_vqgan(config) else None


def convert(
    source: Path,
    target: Path | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    check: Check | None = None,
    half: bool = False,
    force: bool = False,
) -> Path:
    """Write the tensors of a weight file as safetensors; return where.

    The file appears whole or not at all. Its notes hold the source's name and sha256, who converted
    it, and the configuration.

    Args:
        source: anything that `read_state_dict` reads.
        target: where to; None: beside the source.
        config: of a VQGAN; None: where the tensors are a VQGAN's, the one inside or beside the
            source, if any. With one, training losses and, of a transformer's checkpoint, all but
            the first stage are left out; without, all tensors are kept as they are.
        check: told whether configuration and tensors belong together.
        half: reduce real numbers to half precision.
        force: replace a file that is there.

    Raises:
        WeightsMissing, WeightsCorrupt: the source cannot be read or is not of this configuration.
        OutputError: the target is there already, cannot be written, or holds no such numbers.
    """
    target = source.with_suffix(".safetensors") if target is None else target
    if target.suffix != ".safetensors":
        raise OutputError(f"{target} must end in .safetensors")
    if not source.is_file():
        raise WeightsMissing(f"weight file {source} is not there")
    if target.exists() and not force:
        raise OutputError(f"{target} is there already: give --out another name, or --force")
    tensors = read_state_dict(source)
    notes = {
        "format": "pt",
        "source_name": source.name,
        "source_sha256": catalog.sha256_of(source),
        "converted_by": f"text2art {__version__}",
    }
    if config is None and any(name.endswith(_MARK) for name in tensors):
        config = config_of(source)
    if config is not None:
        tensors = _of_model(tensors)
        try:
            kept = config if check is None else check(config, tensors)
        except (ValueError, TypeError, AttributeError, WeightsCorrupt) as error:
            reason = textwrap.shorten(str(error), 300)
            raise WeightsCorrupt(f"{source} is not of this configuration: {reason}") from error
        notes["config"] = json.dumps(kept)
    _write(target, _separate(_halved(tensors, source) if half else tensors), notes)
    return target


def _of_model(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if any(name.startswith(_FIRST_STAGE) for name in tensors):
        tensors = {
            name.removeprefix(_FIRST_STAGE): tensor
            for name, tensor in tensors.items()
            if name.startswith(_FIRST_STAGE)
        }
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_LOSS)}


def _halved(tensors: dict[str, Tensor], source: Path) -> dict[str, Tensor]:
    result = dict(tensors)
    for name, tensor in tensors.items():
        if tensor.dtype in _FULL:
            result[name] = tensor.half()
            if not bool((result[name].isfinite() | ~tensor.isfinite()).all()):
                raise OutputError(f"{source}: {name} holds numbers too large for half precision")
    return result


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return them contiguous and without shared storages, as safetensors wants them."""
    result: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        shared = place in seen
        seen.add(place)
        result[name] = (
            tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.contiguous()
        )
    return result


def _write(target: Path, tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        mode = part.stat().st_mode  # by the user's umask; safetensors lets nobody else read
        save_file(tensors, part, metadata=notes)
        part.chmod(mode)
        part.replace(target)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise OutputError(f"{target} cannot be written: {reason}") from error
