"""Pictures that wait in a temporary file, so that they need not wait in memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image


class Spool:
    """Pictures that wait in a temporary file."""

    def __init__(self, kind: str, **options: Any) -> None:
        """Make an empty one.

        Args:
            kind: format that the pictures wait in.
            options: of that format.
        """
        self._kind, self._options = kind, options
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._ends = [0]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, image: Image.Image) -> None:
        """Put a picture away."""
        encoded = io.BytesIO()  # Pillow takes a short write for a whole one
        image.save(encoded, self._kind, **self._options)
        self._file.write(encoded.getbuffer())
        self._ends.append(self._ends[-1] + len(encoded.getbuffer()))

    def take(self, order: Iterable[int]) -> Iterator[Image.Image]:
        """Return pictures by their numbers, one at a time."""
        for i in order:
            self._file.seek(self._ends[i])
            data = io.BytesIO(self._file.read(self._ends[i + 1] - self._ends[i]))
            with Image.open(data, formats=(self._kind,)) as image:
                image.load()
                yield image

    def close(self) -> None:
        """Give the room back."""
        self._file.close()
