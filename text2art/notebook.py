"""A picture in a notebook that is replaced as it forms; outside of notebooks, nothing."""

from __future__ import annotations

import io
import sys
from typing import Any

from PIL import Image


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this (and not a terminal, an IPython shell or a script)."""
    ipython = sys.modules.get("IPython")  # a kernel has imported it
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class Screen:
    """One place in a notebook's output: a picture, and how far it is.

    ipywidgets show a bar as well; without them the picture is replaced through IPython's display.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._widgets: Any = None
        self._shown = False

    def show(self, image: Image.Image, step: int, steps: int) -> None:
        """Show a picture in place of the last one."""
        if not in_notebook():
            return
        if not self._shown:
            self._shown = True
            self._widgets = _widgets(steps)
        if self._widgets is not None:
            picture, bar, text = self._widgets
            picture.value = _png(image)
            bar.value = step
            text.value = f"{step} of {steps} steps"
        elif self._handle is None:
            self._handle = _display(image)
        else:
            self._handle.update(image)


def _widgets(steps: int) -> tuple[Any, Any, Any] | None:
    """Display a picture, a bar and a line of text; None where there are no widgets."""
    try:
        import ipywidgets
    except ImportError:
        return None
    from IPython.display import display

    picture = ipywidgets.Image(format="png")
    bar = ipywidgets.IntProgress(max=steps)
    text = ipywidgets.Label()
    display(ipywidgets.VBox([picture, ipywidgets.HBox([bar, text])]))  # type: ignore[no-untyped-call]
    return picture, bar, text


def _display(image: Image.Image) -> Any:
    from IPython.display import display

    return display(image, display_id=True)  # type: ignore[no-untyped-call]


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
