"""Palettes: their language, the built-in ones, their files. Free of torch and numpy."""

from text2art.palettes.builtin import BUILTIN
from text2art.palettes.colors import Color
from text2art.palettes.language import FEWEST, MOST, check_palette, files_of, parse_palette

__all__ = ["BUILTIN", "FEWEST", "MOST", "Color", "check_palette", "files_of", "parse_palette"]
