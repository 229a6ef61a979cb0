"""The HTTP server: Cog's own, on our `predict.py`."""

from text2art.serving.server import serve

__all__ = ["serve"]
