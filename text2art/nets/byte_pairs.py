"""CLIP's byte-pair tokenizer, token for token as open_clip has it, without importing open_clip.

That import takes longer than everything else a small perceptor needs, as it brings torchvision,
timm and torch's compiler along. Its table of pairs is read from where it is installed.
"""

from __future__ import annotations

import functools
import gzip
import html
import importlib
import importlib.util
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from text2art.errors import WeightsMissing

_TABLE = "bpe_simple_vocab_16e6.txt.gz"
_VOCABULARY = 49408  # 2 x 256 bytes, inside and at the end of a word, the pairs, and two marks
_MARKS = ("<start_of_text>", "<end_of_text>")
_PAIRS = _VOCABULARY - 512 - len(_MARKS)
_END = "</w>"  # of a word
# What is one word, once the text is in lower case: for plain text, and for any other.
_COMMON = r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|"
_PLAIN = re.compile(_COMMON + r"[a-z]+|[0-9]|[^\sa-z0-9]+")
_ANY = _COMMON + r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class BytePairs:
    """Turns texts into token ids, and back.

    Attributes:
        decoder: the letters of each token by its id; "</w>" ends a word.
    """

    def __init__(self, table: str) -> None:
        """Read the pairs, best first, one a line after a line of title."""
        pairs = table.split("\n")[1 : _PAIRS + 1]
        letters = _letters()
        words = [letter + _END for letter in letters]
        self.decoder = [*letters, *words, *(pair.replace(" ", "") for pair in pairs), *_MARKS]
        self._ids = {token: number for number, token in enumerate(self.decoder)}
        self._ranks = {pair: rank for rank, pair in enumerate(pairs)}
        order = sorted(range(256), key=_rank_of_byte)
        self._letter_of = dict(zip(order, letters, strict=True))
        self._byte_of = {letter: byte for byte, letter in self._letter_of.items()}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text's tokens, without the marks of start and end."""
        ids: list[int] = []
        for word in _words(text):
            if word in _MARKS:
                ids.append(self._ids[word])
                continue
            letters = "".join(self._letter_of[byte] for byte in word.encode())
            ids.extend(self._ids[token] for token in self._merged(letters))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, with a space after each word."""
        letters = "".join(self.decoder[number] for number in ids)
        text = bytes(self._byte_of[letter] for letter in letters)
        return text.decode(errors="replace").replace(_END, " ")

    def rows(self, texts: Sequence[str], length: int) -> Tensor:
        """Return ids with marks, `(T, length)`, zeros behind them; what does not fit is cut off."""
        start, end = (self._ids[mark] for mark in _MARKS)
        rows = torch.zeros(len(texts), length, dtype=torch.long)
        for row, text in zip(rows, texts, strict=True):
            ids = [start, *self.encode(text)[: length - 2], end]
            row[: len(ids)] = torch.tensor(ids)
        return rows

    def _merged(self, letters: str) -> list[str]:
        """Join the letters of a word pair by pair, the best pair of the table first."""
        parts = [*letters[:-1], letters[-1] + _END]
        while len(parts) > 1:
            pairs = [f"{a} {b}" for a, b in itertools.pairwise(parts)]
            best = min(pairs, key=lambda pair: self._ranks.get(pair, _VOCABULARY))
            if best not in self._ranks:
                break
            joined: list[str] = []
            at = 0
            while at < len(parts):
                found = at < len(pairs) and pairs[at] == best
                joined.append(parts[at] + parts[at + 1] if found else parts[at])
                at += 2 if found else 1
            parts = joined
        return parts


@functools.cache
def byte_pairs() -> BytePairs:
    """Return the tokenizer; reading its table takes a while, and all read the same.

    Raises:
        WeightsMissing: the table is not where open_clip has it.
    """
    found = importlib.util.find_spec("open_clip")  # which imports nothing
    folders = list(found.submodule_search_locations or ()) if found else []
    path = next((p for p in (Path(folder) / _TABLE for folder in folders) if p.is_file()), None)
    if path is None:
        raise WeightsMissing(
            f"the tokenizer's table {_TABLE} is missing from the package open-clip-torch: "
            "pip install --force-reinstall open-clip-torch"
        )
    return BytePairs(gzip.decompress(path.read_bytes()).decode())


def _rank_of_byte(byte: int) -> tuple[bool, int]:
    return not _is_printed(byte), byte


def _is_printed(byte: int) -> bool:
    return 33 <= byte <= 126 or (161 <= byte <= 255 and byte != 173)


def _letters() -> list[str]:
    """Return the 256 letters that stand for bytes, in the order of their ids.

    Printed bytes are themselves and come first; the others are the letters from 256 on.
    """
    printed = [chr(byte) for byte in range(256) if _is_printed(byte)]
    return printed + [chr(256 + number) for number in range(256 - len(printed))]


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case, cleaned as CLIP's authors did."""
    if text.isascii() and text.isprintable() and "&" not in text:
        return _PLAIN.findall(text.lower())  # which the cleaning leaves as it is
    ftfy: Any = importlib.import_module("ftfy")
    regex: Any = importlib.import_module("regex")
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    words: list[str] = regex.findall(_ANY, " ".join(text.split()).lower(), regex.IGNORECASE)
    return words
