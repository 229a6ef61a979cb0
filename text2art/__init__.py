"""text2art: words in, a picture that forms before your eyes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from text2art.errors import Text2ArtError

if TYPE_CHECKING:
    from text2art.api import Result, draw, draw_each
    from text2art.core import Frame
    from text2art.session import Session
    from text2art.settings import Settings

__version__ = "0.1.0"
__all__ = [
    "Frame",
    "Result",
    "Session",
    "Settings",
    "Text2ArtError",
    "__version__",
    "draw",
    "draw_each",
]

# The heavy names are imported when first used: `import text2art` alone must not cost 3 s of torch.
_LAZY = {
    "draw": "text2art.api",
    "draw_each": "text2art.api",
    "Result": "text2art.api",
    "Frame": "text2art.core",
    "Session": "text2art.session",
    "Settings": "text2art.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'text2art' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
