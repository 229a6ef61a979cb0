"""Styles: words that change how a picture looks, by name."""
