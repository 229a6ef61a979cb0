"""How prompts were read, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from text2art.prompts.expressions import Curve
from text2art.prompts.grammar import Prompt


def explain(prompt: Prompt) -> str:
    """Return one line on what a prompt asks for, with what weight, when and where."""
    return "; ".join(_parts(prompt))


def _parts(prompt: Prompt) -> Iterator[str]:
    yield f"{'picture' if prompt.is_image else 'words'} {prompt.text!r}"
    yield _weight(prompt.weight)
    if prompt.stop != -math.inf:
        yield f"no longer pulls once its loss is below {prompt.stop:g}"
    if prompt.window is not None:
        yield f"from {prompt.window.start:g} % to {prompt.window.end:g} % of the run"
    if prompt.region is not None:
        yield prompt.region.words


def _weight(weight: float | Curve) -> str:
    if not isinstance(weight, Curve):
        return f"weight {weight:g}" + (" (keep away)" if weight < 0 else "")
    if "step" in weight.text:
        return f"weight {weight}, which changes with the steps"
    first, half, last = (weight.at(t, 0) for t in (0.0, 0.5, 1.0))
    return f"weight {weight}: {first:g} at the start, {half:g} halfway, {last:g} at the end"


def as_values(prompt: Prompt) -> dict[str, Any]:
    """Return a prompt as plain values for JSON."""
    return {
        "kind": "picture" if prompt.is_image else "words",
        "text": prompt.text,
        "weight": str(prompt.weight) if isinstance(prompt.weight, Curve) else prompt.weight,
        "stop": None if prompt.stop == -math.inf else prompt.stop,
        "window": str(prompt.window) if prompt.window else None,
        "region": str(prompt.region) if prompt.region else None,
    }
