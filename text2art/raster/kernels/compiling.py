"""Compile loops over arrays with numba, once per machine: the result is kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs

# Pixels that a processor works on at a time: rows of pixels are padded to multiples of it.
BLOCK = 8
Scalar = Any  # one float32: arithmetic in numpy does not keep the type of such
Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return a function as machine code that lets other threads run meanwhile.

    Strict floating point: nothing is reordered. The code is compiled at the first call and kept in
    `NUMBA_CACHE_DIR`, else in the user's cache folder.
    """
    return _compile(function, fastmath=False)


def compiled_sums(function: Function) -> Function:
    """Return a function as machine code that may add up numbers in another order.

    The order is that of the processor's vectors: the same in every run on one kind of machine.
    """
    return _compile(function, fastmath={"reassoc"})


def _compile(function: Function, *, fastmath: bool | set[str]) -> Function:
    def compiled_to(*, cache: bool) -> Any:
        compile_ = numba.njit(cache=cache, nogil=True, error_model="numpy", fastmath=fastmath)
        return compile_(function)

    config: Any = numba.config
    before = config.CACHE_DIR
    try:
        config.CACHE_DIR = str(_folder(before))
        return cast("Function", compiled_to(cache=True))
    except RuntimeError:  # no folder can be written to: compiled anew in each process
        return cast("Function", compiled_to(cache=False))
    finally:
        config.CACHE_DIR = before


def _folder(given: str) -> Path:
    """Return a folder that changes with the sources, since numba looks at single files only.

    It is in the one that is given, if any, else in the user's.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    home = Path(given) if given else Path(platformdirs.user_cache_dir("text2art", appauthor=False))
    return home / "compiled" / digest.hexdigest()[:16]
