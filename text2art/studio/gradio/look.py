"""How the page looks: its head, colors, fonts and icon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2art.studio.client.shapes import Catalog

HEAD = (
    "<div class='t2a-head'><b>text2<i>art</i></b>"
    "<span>Words in, a picture that forms before your eyes out.</span></div>"
)
_FONTS = ("Inter", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")
_STUDIO = Path(__file__).parents[1]
_LOGO = _STUDIO / "web" / "icon.svg"
_LOOK = _STUDIO / "desk" / "page.css"


def manner(gr: Any, catalog: Catalog) -> dict[str, Any]:
    """Return how the page is shown, unless `launch` is told otherwise."""
    theme = gr.themes.Base(
        primary_hue="indigo", neutral_hue="zinc", font=_FONTS, font_mono=_MONO
    ).set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_placeholder_color="*neutral_500",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_cancel_background_fill="*neutral_800",
        button_cancel_background_fill_dark="*neutral_200",
        button_cancel_background_fill_hover="*neutral_700",
        button_cancel_background_fill_hover_dark="*neutral_300",
        button_cancel_text_color="white",
        button_cancel_text_color_dark="*neutral_900",
    )
    most = catalog.caps.get("upload_bytes")
    return {
        "theme": theme,
        "css": _LOOK.read_text(encoding="utf-8"),
        "favicon_path": str(_LOGO),
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "max_file_size": int(most) if most else None,
    }
