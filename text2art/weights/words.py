"""The words that the starter knows, read without loading it. Free of torch."""

from __future__ import annotations

import json
from pathlib import Path

from text2art.errors import WeightsCorrupt
from text2art.weights import catalog

_MOST_BYTES = 2**20


def starter_words(folder: Path | None = None) -> frozenset[str]:
    """Return every word that a part of the starter knows, in lower case.

    Args:
        folder: of its files; default: of those that are used.

    Raises:
        WeightsMissing: the starter is not there.
        WeightsCorrupt: its files cannot be read.
    """
    folder = folder or catalog.starter_folder()
    words: set[str] = set()
    for path in (folder / "perceptor.json", *sorted(folder.glob("perceptor-*.json"))):
        try:
            with path.open("rb") as file:
                card = json.loads(file.read(_MOST_BYTES))
            words.update(str(word) for word in card["vocabulary"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsCorrupt(f"{path} holds no words of the starter: {error!r}") from error
    return frozenset(words)
