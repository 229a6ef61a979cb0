"""Vectors of a perceptor's space: read from files, and made of texts and pictures.

A file holds, by perceptor's name, one or more vectors `(D,)` or `(K, D)`: JSON as pixray's
(`{"ViT-B/32": [[...]]}`), npz, or safetensors, which `text2art vector make` writes. Nothing in a
file is run, and its size is bounded.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Perceptor
from text2art.errors import InputFileError, SettingsError
from text2art.media import web
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.models import canonical
from text2art.prompts import Prompt
from text2art.prompts.wordings import PLAIN, WRITING

ENDINGS = (".json", ".npz", ".safetensors")
_MOST_BYTES = 20_000_000
_MOST_ROWS = 64
_DIGESTS = "perceptors"  # key of a safetensors file's notes: sha256 of each perceptor's weights


class Vectors:
    """The vectors of one file.

    Args:
        source: file, or http(s) URL; the ending of its name tells the format.

    Raises:
        InputFileError: it is missing, too large, broken or of another format.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        data = _bytes(source)
        ending = Path(source.partition("?")[0]).suffix.lower()
        try:
            self._found, self._digests = _READERS[ending](data)
        except InputFileError:
            raise
        except Exception as error:  # the readers raise anything on broken files
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputFileError(f"vector file {source!r} is broken: {reason}") from error
        self._keys = {canonical(name): name for name in self._found}

    @property
    def names(self) -> list[str]:
        """Names of the perceptors that it has vectors for."""
        return list(self._found)

    def shape_of(self, name: str) -> tuple[int, int]:
        """Return how many vectors a perceptor has, and how long they are."""
        rows, width = np.atleast_2d(self._found[name]).shape[-2:]
        return rows, width

    def of(self, perceptor: Perceptor) -> Tensor | None:
        """Return the vectors for a perceptor, `(K, D)` of unit length; None when it has none.

        Raises:
            InputFileError: they are of another length than the perceptor's, or not finite.
        """
        name = self._keys.get(canonical(perceptor.name))
        if name is None:
            return None
        vectors = np.atleast_2d(self._found[name])
        width = dimensions(perceptor)
        what = f"vector file {self._source!r}, {name}"
        if vectors.ndim != 2 or vectors.shape[1] != width or not 0 < len(vectors) <= _MOST_ROWS:
            raise InputFileError(
                f"{what}: the shape is {vectors.shape}, but 1 to {_MOST_ROWS} vectors of {width} "
                "numbers belong here"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise InputFileError(f"{what}: a vector is zero or not finite")
        return F.normalize(torch.from_numpy(vectors.astype(np.float32)), dim=-1)

    def is_of_another(self, perceptor: Perceptor) -> bool:
        """Whether the file says that it was made with other weights of that name."""
        then = self._digests.get(self._keys.get(canonical(perceptor.name), ""), "")
        return bool(then) and then != perceptor.digest


def dimensions(perceptor: Perceptor) -> int:
    """Return the length of a perceptor's embeddings."""
    return int(perceptor.read(["a"]).shape[1])


# ---- reading -----------------------------------------------------------------------------------

_Found = tuple[dict[str, "np.ndarray[Any, Any]"], dict[str, str]]


def _bytes(source: str) -> bytes:
    if Path(source.partition("?")[0]).suffix.lower() not in ENDINGS:
        raise InputFileError(
            f"vector prompt {source!r}: textoff, or a file that ends in {', '.join(ENDINGS)}"
        )
    if source.lower().startswith(("http://", "https://")):
        return web.download(source, _MOST_BYTES)
    try:
        with Path(source).expanduser().open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: NUL, no home folder
        raise InputFileError(f"vector file {source!r} cannot be read: {error}") from error
    if len(data) > _MOST_BYTES:
        raise InputFileError(f"vector file {source!r} is larger than {_MOST_BYTES / 1e6:g} MB")
    return data


def _json(data: bytes) -> _Found:
    values = json.loads(data)
    if not isinstance(values, dict):
        raise InputFileError("a vector file in JSON holds names of perceptors and their vectors")
    return {str(k): np.asarray(v, dtype=np.float64) for k, v in values.items()}, {}


def _npz(data: bytes) -> _Found:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(item.file_size for item in archive.infolist())
    if unpacked > _MOST_BYTES:
        raise InputFileError(f"a vector file unpacks to {unpacked / 1e6:.0f} MB: that is too much")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: np.asarray(arrays[name], dtype=np.float64) for name in arrays.files}, {}


def _safetensors(data: bytes) -> _Found:
    tensors = safetensors.torch.load(data)
    length = int.from_bytes(data[:8], "little")
    notes = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    digests = json.loads(notes.get(_DIGESTS, "{}"))
    found = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    return found, {str(k): str(v) for k, v in digests.items()}


_READERS = {".json": _json, ".npz": _npz, ".safetensors": _safetensors}


# ---- making ------------------------------------------------------------------------------------


@torch.no_grad()
def textoff(perceptor: Perceptor) -> Tensor:
    """Return the direction from pictures with writing to pictures without, `(1, D)`, unit length.

    It is the mean difference between the embeddings of a picture's description and of the same with
    writing in it, over a few pictures and ways of writing (`prompts.wordings`).
    """
    plain = perceptor.read(PLAIN).mean(0)
    written = perceptor.read([f"{text} {how}" for text in PLAIN for how in WRITING]).mean(0)
    return F.normalize(plain - written, dim=-1)[None]


@torch.no_grad()
def mixed(perceptor: Perceptor, prompts: Sequence[Prompt], device: torch.device) -> Tensor:  # noqa: TID251 - typed, not chosen
    """Return the weighted sum of what prompts embed to, `(1, D)`, unit length.

    With weights of both signs it is a direction: "a photo" and "a drawing:-1" lead from drawings to
    photos.

    Raises:
        SettingsError: a prompt has what a vector cannot have, or all cancel each other.
    """
    total: Tensor | None = None
    for prompt in prompts:
        if not prompt.is_constant or prompt.region or math.isfinite(prompt.stop):
            raise SettingsError(
                f"{str(prompt)!r}: what a vector is made of has a weight alone: no window, region, "
                "curve or stop"
            )
        seen = whole(perceptor, prompt.text, device) if prompt.is_image else None
        embedded = perceptor.read([prompt.text]) if seen is None else seen
        share = prompt.weight_at(0, 0) * embedded[0]
        total = share if total is None else total + share
    if total is None or float(total.norm()) < 1e-4:
        raise SettingsError("the vector is zero: texts and weights cancel each other")
    return F.normalize(total, dim=-1)[None]


@torch.no_grad()
def whole(perceptor: Perceptor, source: str, device: torch.device) -> Tensor:  # noqa: TID251 - typed, not chosen
    """Return how a perceptor sees a picture as a whole, its middle square, `(1, D)`."""
    picture = to_tensor(load_picture(source), perceptor.size, perceptor.size).to(device)
    if picture.shape[1] == 4:  # what is transparent is gray
        picture = picture[:, :3] * picture[:, 3:] + 0.5 * (1 - picture[:, 3:])
    return perceptor.see(picture)


def pack(vectors: Mapping[str, Tensor], perceptors: Iterable[Perceptor], made_of: str) -> bytes:
    """Write vectors by perceptor's name as a safetensors file with notes on their making."""
    digests = {p.name: p.digest for p in perceptors}
    notes = {"format": "text2art vectors", "made_of": made_of, _DIGESTS: json.dumps(digests)}
    tensors = {name: vector.cpu().contiguous() for name, vector in vectors.items()}
    return safetensors.torch.save(tensors, metadata=notes)
