"""What a result can be saved as beside a picture: pixel art, sprites, charts. Free of torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from text2art.media.chart import Chart
from text2art.media.files import check_target, write_bytes
from text2art.media.load import read_source
from text2art.media.pixelart import enlarged, hard_alpha, native, natives, palette_of
from text2art.media.png import encode_picture
from text2art.media.quantize import Dither, indexed
from text2art.media.sprites import Form, Sprite, sprite_sheet
from text2art.media.yarns import Craft, Gauge
from text2art.palettes import parse_palette
from text2art.palettes.aseprite import encode_aseprite
from text2art.palettes.reduce import colors_in


class PixelExports:
    """Exports of a result.

    Attributes:
        image: the picture.
        native: one pixel per cell, for drawers made of cells; else None.
        frames: pictures of the making.
        record: what is written into files.
    """

    image: Image.Image
    native: Image.Image | None
    frames: Sequence[Image.Image]
    record: Mapping[str, Any]

    def pixels(
        self,
        palette: str = "",
        *,
        cells: tuple[int, int] | None = None,
        dither: Dither = "none",
        strength: float = 1.0,
    ) -> Image.Image:
        """Return the picture with one pixel per cell, each opaque or not there.

        Args:
            palette: brings it onto these colors, indexed in their order; "" leaves it as it is.
            cells: columns and rows; None = the drawer's, or a pixel each where it has none.
            dither: how colors between those of the palette are stood for.
            strength: of the dither, from 0 to 1.

        Raises:
            SettingsError: the palette cannot be read, or there are to be more cells than pixels.
        """
        small = native(self.image, cells) if self.native is None or cells else self.native
        colors = parse_palette(palette, read=read_source)
        if not colors:
            return hard_alpha(small)
        return indexed(small, colors, dither=dither, strength=strength)

    def save_pixels(
        self, path: str | Path, palette: str = "", *, times: int = 1, **how: Any
    ) -> Path:
        """Write `pixels` as .png or .aseprite, each enlarged to `times` x `times`.

        Other arguments are those of `pixels`.

        Raises:
            OutputError: it cannot be written, or would be too large.
        """
        target = Path(path)
        check_target(target, (".png", ".aseprite"))
        picture = enlarged(self.pixels(palette, **how), times)
        if target.suffix.lower() == ".aseprite":
            return write_bytes(target, encode_aseprite([picture], [100]))
        return write_bytes(target, encode_picture(picture, ".png", self.record))

    def save_sprites(
        self,
        path: str | Path,
        palette: str = "",
        *,
        form: Form = "hash",
        columns: int | None = None,
        padding: int = 0,
        milliseconds: int = 100,
        dither: Dither = "none",
    ) -> Path:
        """Write `frames` as a sprite sheet, one pixel per cell, with Aseprite's JSON beside it.

        Args:
            path: of the sheet, ends in .png; or in .aseprite: one sprite of all frames.
            palette: brings all frames onto these colors.
            form: of the JSON.
            columns: frames in a row; None = about a square.
            padding: transparent pixels between frames.
            milliseconds: how long each frame is shown.
            dither: how colors between those of the palette are stood for.

        Raises:
            OutputError: it cannot be written, or would be too large.
        """
        target = Path(path)
        check_target(target, (".png", ".aseprite"))
        colors = parse_palette(palette, read=read_source)
        small = natives(list(self.frames))
        if not colors and self.native is not None and self.native.mode == "P":
            own = palette_of(self.native)
            if all(set(colors_in(frame)) <= set(own) for frame in small):
                colors = own
        if colors:
            small = [indexed(frame, colors, dither=dither) for frame in small]
        small = [hard_alpha(frame) for frame in small]
        if target.suffix.lower() == ".aseprite":
            times = [milliseconds] * len(small)
            return write_bytes(target, encode_aseprite(small, times, tag="making"))
        sprites = [
            Sprite(f"{target.stem} {n}", frame, milliseconds) for n, frame in enumerate(small)
        ]
        sheet, about = sprite_sheet(
            sprites, target.name, columns=columns, padding=padding, form=form, tag="making"
        )
        write_bytes(target, encode_picture(sheet, ".png", self.record))
        text = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
        write_bytes(target.with_suffix(".json"), text.encode())
        return target

    def save_chart(
        self,
        path: str | Path,
        craft: Craft = "cross-stitch",
        palette: str = "",
        *,
        cells: tuple[int, int] | None = None,
        gauge: Gauge | None = None,
        title: str = "",
        dither: Dither = "none",
    ) -> Path:
        """Write a chart to knit, stitch or bead by: PDF, SVG or PNG by the name's ending.

        Args:
            path: ends in .pdf, .svg or .png.
            craft: for which it is.
            palette: brings the picture onto these colors.
            cells: columns and rows; None = the drawer's.
            gauge: measures of the finished piece, as `media.yarns.gauge_of` gives them.
            title: above the chart.
            dither: how colors between those of the palette are stood for.

        Raises:
            SettingsError: there are too many colors or cells for a chart.
            OutputError: it cannot be written.
        """
        picture = self.pixels(palette, cells=cells, dither=dither)
        return Chart(picture, craft, gauge=gauge, title=title).save(Path(path))
