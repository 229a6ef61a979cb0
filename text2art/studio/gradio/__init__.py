"""A page for notebooks and Hugging Face Spaces, made with Gradio: a thin client of a studio's API.

from text2art.studio.gradio import page

page("https://studio.example.org").launch()
"""

from __future__ import annotations

from text2art.studio.gradio.opening import page
from text2art.studio.gradio.serving import serve

__all__ = ["page", "serve"]
