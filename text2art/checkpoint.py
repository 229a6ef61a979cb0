"""Checkpoints: all that a run needs to go on as if it had never stopped, in one file.

A checkpoint is a tree of names, plain values and tensors. Its file is one of safetensors: tensors
as they are, and the tree as JSON in its metadata, with `{"tensor": "17"}` in place of each. Nothing
in it is run, and whoever reads one trusts no size and no name in it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from text2art import __version__, asking
from text2art.errors import CheckpointError, Text2ArtError
from text2art.media.files import write_bytes
from text2art.settings import Settings

FORMAT = 3
MOST_BYTES = 2 * 2**30
_MOST_HEADER = 32 * 2**20
_MOST_TENSORS = 100_000
_DEEPEST = 12
_KEY = "text2art.checkpoint"
_TENSOR = "tensor"
Tree = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Where a run had got to.

    Attributes:
        facts: the record of the run (`Session.record`) and its text2art version.
        state: of its parts.
    """

    facts: Mapping[str, Any]
    state: Tree

    @property
    def made(self) -> int:
        """Updates made so far, those of all stages and tryouts."""
        return whole(self.state.get("made"))

    @property
    def settings(self) -> Settings:
        """The settings of the run, as resolved.

        Raises:
            CheckpointError: they are none of this version's.
        """
        given = self.facts.get("settings")
        try:
            settings = Settings.of(**given) if isinstance(given, dict) else Settings.of()
            asking.require(settings)
            return settings
        except (Text2ArtError, TypeError) as error:
            raise CheckpointError(f"the checkpoint's settings cannot be used: {error}") from None

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        tensors: dict[str, Tensor] = {}
        tree = _without_tensors({"facts": dict(self.facts), "state": self.state}, tensors)
        text = json.dumps({"format": FORMAT, **tree}, ensure_ascii=False, separators=(",", ":"))
        data: bytes = save(tensors, metadata={_KEY: text})
        return data

    def save(self, path: Path) -> Path:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        return write_bytes(path, self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Read a file's bytes.

        Raises:
            CheckpointError: it is no checkpoint, damaged, or of another version of text2art.
        """
        if len(data) > MOST_BYTES:
            raise CheckpointError(f"the checkpoint has more than {MOST_BYTES >> 20} MB")
        tree = _tree_of(data)
        _check_version(tree)
        try:
            tensors: dict[str, Tensor] = load(data)
        except (SafetensorError, ValueError, RuntimeError, TypeError, KeyError) as error:
            raise _damaged(error) from None
        if len(tensors) > _MOST_TENSORS:
            raise _damaged("too many tensors")
        facts, state = tree.get("facts"), tree.get("state")
        if not isinstance(facts, dict) or not isinstance(state, dict):
            raise _damaged("its facts or its state are missing")
        return cls(facts, _with_tensors(state, tensors, 0))

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a file.

        Raises:
            CheckpointError: it is not there, no checkpoint, damaged, or of another version.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                raise CheckpointError(f"{str(path)!r} is larger than {MOST_BYTES >> 20} MB")
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the checkpoint {str(path)!r} cannot be read: {error}") from None
        return cls.from_bytes(data)

    def require_same_models(self, record: Mapping[str, Any]) -> None:
        """Make sure that a run sees and draws by the very models of this one.

        Args:
            record: of that run.

        Raises:
            CheckpointError: it does not; the message names the first model that differs.
        """
        for kind in ("perceptors", "networks", "extra_losses"):
            then, now = (_named(facts.get(kind)) for facts in (self.facts, record))
            for name in dict.fromkeys([*then, *now]):
                if then.get(name) != now.get(name):
                    raise CheckpointError(
                        f"the checkpoint was made with {_said(name, then)}, and here is "
                        f"{_said(name, now)}: use the same, or draw anew"
                    )


def _named(listed: Any) -> dict[str, str]:
    entries = [entry for entry in listed or [] if isinstance(entry, dict)]
    return {
        str(entry.get("name")): f"{entry.get('sha256', '')}/{entry.get('weight', '')}"
        for entry in entries
    }


def _said(name: str, models: Mapping[str, str]) -> str:
    if name not in models:
        return f"no {name}"
    digest, _, weight = models[name].partition("/")
    return f"{name} (sha256 {digest[:12] or 'none'}{f', weight {weight}' if weight else ''})"


# ---- the file ----------------------------------------------------------------------------------


def _tree_of(data: bytes) -> Tree:
    """Return the JSON in a file's metadata, before any tensor is looked at."""
    if len(data) < 8 or (length := struct.unpack("<Q", data[:8])[0]) > len(data) - 8:
        raise _damaged("it is no file of safetensors")
    if length > _MOST_HEADER:
        raise _damaged("its header is too long")
    try:
        header = json.loads(data[8 : 8 + length])
        tree = json.loads(header["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(
            "the file is no checkpoint of text2art: give one that draw --checkpoint wrote"
        ) from None
    if not isinstance(tree, dict):
        raise _damaged("its JSON is no object")
    return tree


def _check_version(tree: Tree) -> None:
    facts = tree.get("facts")
    version = facts.get("version") if isinstance(facts, dict) else None
    if tree.get("format") != FORMAT or version != __version__:
        raise CheckpointError(
            f"the checkpoint is of text2art {str(version)[:40]} (format "
            f"{str(tree.get('format'))[:10]}), this is {__version__} (format {FORMAT}): go on with "
            "that version, or draw anew"
        )


def copied(value: Any) -> Any:
    """Return a tree whose tensors are copies: parts go on changing theirs."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {str(key): copied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [copied(inner) for inner in value]
    return value


def _without_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy: two names for one tensor are no file.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {_TENSOR: name}
    if isinstance(value, Mapping):
        return {str(key): _without_tensors(inner, tensors) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(inner, tensors) for inner in value]
    return value


def _with_tensors(value: Any, tensors: Mapping[str, Tensor], depth: int) -> Any:
    if depth > _DEEPEST:
        raise _damaged("its JSON is too deep")
    if isinstance(value, dict):
        if set(value) == {_TENSOR} and isinstance(value[_TENSOR], str):
            if value[_TENSOR] not in tensors:
                raise _damaged("a tensor is missing")
            return tensors[value[_TENSOR]]
        return {key: _with_tensors(inner, tensors, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_tensors(inner, tensors, depth + 1) for inner in value]
    return value


def _damaged(reason: object) -> CheckpointError:
    return CheckpointError(f"the checkpoint is damaged: {' '.join(str(reason).split())[:200]}")


# ---- its parts, distrusted ---------------------------------------------------------------------


@contextmanager
def reading() -> Iterator[None]:
    """Turn whatever a wrong value does to those who take it over into one clear error.

    Raises:
        CheckpointError: in place of those.
    """
    try:
        yield
    except (
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
    ) as error:
        if isinstance(error, Text2ArtError):
            raise
        raise _damaged(f"{type(error).__name__}: {error}") from error


def whole(value: Any, low: int = 0, high: int = 10_000_000) -> int:
    """Return a whole number, if it is one and within bounds.

    Raises:
        CheckpointError: it is not.
    """
    if type(value) is not int or not low <= value <= high:
        raise _damaged(f"{str(value)[:40]} in place of a number from {low} to {high}")
    return value


def tensors_like(given: Any, wanted: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return named tensors, if they have exactly the names, shapes and types of others.

    Args:
        given: from a checkpoint.
        wanted: what they are to take the place of; what is no tensor is not compared.
        what: they belong to, for messages.

    Raises:
        CheckpointError: they do not fit.
    """
    if not isinstance(given, dict) or set(given) != set(wanted):
        raise CheckpointError(f"the checkpoint does not fit: it is of another {what}")
    for name, there in wanted.items():
        if isinstance(there, Tensor) and (
            not isinstance(given[name], Tensor)
            or (given[name].shape, given[name].dtype) != (there.shape, there.dtype)
        ):
            raise CheckpointError(f"the checkpoint does not fit: {name} of the {what} is another")
    return given


# ---- optimizers --------------------------------------------------------------------------------


def optimizer_state(optimizer: torch.optim.Optimizer) -> Tree:
    """Return what an optimizer knows of each parameter, by its number."""
    return {str(number): dict(known) for number, known in optimizer.state_dict()["state"].items()}


def restore_optimizer_(optimizer: torch.optim.Optimizer, state: Any) -> None:
    """Let an optimizer know what `optimizer_state` gave; rates are the schedule's.

    Raises:
        CheckpointError: it is of another optimizer.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    known: dict[int, dict[str, Any]] = {}
    for key, values in state.items():
        parameter = parameters[int(key)]
        for name, value in values.items():
            if isinstance(value, Tensor):
                fits = value.dim() == 0 or value.shape == parameter.shape
            else:
                fits = type(value) in (int, float)
            if not fits:
                raise CheckpointError(f"the checkpoint does not fit: {name} of the optimizer")
        known[int(key)] = copied(values)  # the optimizer goes on changing them
    optimizer.load_state_dict({**optimizer.state_dict(), "state": known})
