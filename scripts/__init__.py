"""Commands for those who work on text2art: `python -m scripts.NAME`."""
