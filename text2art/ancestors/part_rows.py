"""The settings that pixray's drawers, losses and filters added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from text2art.ancestors.row import Reading, Row, gone, listed, number_of, pair, same, times, told
from text2art.errors import SettingsError
from text2art.sizes import parse_size

# pixray's cells, columns x rows, by aspect; and what it multiplied them by for a shape.
_GRIDS: Mapping[str, tuple[int, int]] = {
    "square": (40, 40),
    "portrait": (40, 50),
    "widescreen": (80, 45),
}
_REGULAR: Mapping[str, tuple[float, float]] = {
    "tri": (1.414, 1),
    "hex": (1, 1.414),
    "diamond": (1, 2),
}
_KINDS: Mapping[str, str] = {"default": "vectorial", "clipped": "clipped", "log": "log"}
_REPEATS: Mapping[str, str] = {
    "none": "grid",
    "shift": "brick",
    "horizontal": "horizontal",
    "vertical": "vertical",
}


def _cells(reading: Reading, name: str, value: Any) -> None:
    """Read pixel_scale, a divisor of the grid that the aspect has."""
    if value is None:
        return
    scale = number_of(name, value)
    if not scale > 0:
        raise SettingsError(f"{name} {value!r} is out of range: above 0")
    columns, rows = _grid(reading)
    size = max(2, int(columns / scale)), max(2, int(rows / scale))
    reading.put("pixel.cells", parse_size(size, name, smallest=2, largest=512))


def _regular(reading: Reading, name: str, value: Any) -> None:
    """Read pixel_iso_check: whether cells are regular, which ours are unless counted."""
    if not told(name, value) and "pixel_size" not in reading.old:
        reading.put("pixel.cells", _grid(reading))


def _grid(reading: Reading) -> tuple[int, int]:
    """Return pixray's default grid, or the one given."""
    words = _spelled(reading.old.get("pixel_size"))
    given = parse_size(words, "pixel_size", smallest=2, largest=512)
    if given is not None:
        return given
    columns, rows = _GRIDS.get(str(reading.settings.get("aspect")), _GRIDS["square"])
    regular = reading.old.get("pixel_iso_check")
    if regular is None or told("pixel_iso_check", regular):
        across, down = _REGULAR.get(str(reading.old.get("pixel_type")), (1, 1))
        columns, rows = int(columns * across), int(rows * down)
    size = parse_size(_spelled(reading.old.get("size")))  # no cell is smaller than a pixel
    return (columns, rows) if size is None else (min(columns, size[0]), min(rows, size[1]))


def _spelled(words: Any) -> Any:
    """Write a size given as several words in one."""
    return words if words is None or isinstance(words, str) else "x".join(map(str, words))


def _of_strokes(option: str, factor: float = 1) -> Any:
    """Read what pixray's drawers of strokes share, for the one that draws."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is None:
            return
        drawer = str(reading.settings.get("drawer"))
        target = "line" if drawer in ("line_sketch", "line") else "clipdraw"
        number = number_of(name, value) * factor
        reading.put(f"{target}.{option}", int(number) if option == "strokes" else number)

    return read


def _weight(loss: str) -> Any:
    """Read a loss's own weight, which multiplies the one in custom_loss."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is None:
            return
        parts = listed(reading.settings.get("losses"), ",")
        if not any(_name_of(part) == loss for part in parts):
            reading.notices.append(f"{name} does nothing without custom_loss={loss}, as in pixray")
            return
        factor = number_of(name, value)
        reading.put("losses", ",".join(_weighted(part, loss, factor) for part in parts))

    return read


def _name_of(part: str) -> str:
    return part.partition("->")[0].partition(":")[0].strip()


def _weighted(part: str, loss: str, factor: float) -> str:
    if _name_of(part) != loss:
        return part
    head, arrow, arguments = part.partition("->")
    weight = head.partition(":")[2].strip() or "1"
    return f"{loss}:{number_of('custom_loss', weight) * factor:g}{arrow}{arguments}"


def _word(target: str, words: Mapping[str, str]) -> Any:
    """Read a word that is another word here."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is None:
            return
        if str(value) not in words:
            raise SettingsError(f"{name} {value!r} is not known: use {', '.join(words)}")
        reading.put(target, words[str(value)])

    return read


def _commitment(reading: Reading, name: str, value: Any) -> None:
    """Read lookup_beta, of which pixray's own default, 10, is ours."""
    if value is not None:
        reading.put("lookup.commitment", number_of(name, value) * 0.15)


def _color(target: str) -> Any:
    """Read a color: a name, #rrggbb, or three numbers from 0 to 1 or to 255."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, str):
            reading.put(target, value)
            return
        numbers = [number_of(name, part) for part in value]
        if len(numbers) != 3 or not all(0 <= n <= 255 for n in numbers):
            raise SettingsError(f"{name} {value!r} is no color: write #rrggbb or a CSS name")
        top = 255 if max(numbers) <= 1 else 1
        reading.put(target, "#" + "".join(f"{round(n * top):02x}" for n in numbers))

    return read


def _sides(reading: Reading, name: str, value: Any) -> None:
    """Read gaussian_std, one number or two, in percent."""
    numbers = [value, value] if isinstance(value, int | float) else listed(value, " ")
    if len(numbers) != 2:
        raise SettingsError(f"{name} {value!r}: give two percents, as '40 40'")
    for side, number in zip(("width", "height"), numbers, strict=True):
        reading.put(f"gaussian.{side}", number_of(name, number))


_PIXEL = {"drawer": "pixel"}
_STROKES = {"drawer": "clipdraw"}
_LINES = {"drawer": "line_sketch"}
_FFT = {"drawer": "fft"}
_NO_WAVELETS = "the drawer fft is one of Fourier spectra alone"
_NO_DIFFUSION = "there is no diffusion model here; the nearest drawer is vqgan"


def _with(loss: str, **others: Any) -> dict[str, Any]:
    return {"custom_loss": loss, **others}


DRAWERS: tuple[Row, ...] = (
    Row("vqgan_model", "vqgan.model", "imagenet_f16_16384", "The starter's unless given.",
        ("-vqgan",), "", beside={"drawer": "vqgan"}),
    Row("vqgan_config", "vqgan.config", "none", "It works now.", ("-conf",), "",
        beside={"drawer": "vqgan"}),
    Row("vqgan_checkpoint", "vqgan.model", "none", "It works now.", ("-ckpt",), None,
        read=lambda r, n, v: same("vqgan.model")(r, n, v or None)),
    Row("pixel_size", "pixel.cells", "none", "Our default is 48 along the short side.",
        ("-ps",), (12, 8), beside=_PIXEL, many=True,
        read=pair("pixel.cells")),
    Row("pixel_scale", "pixel.cells", "none", "Columns x rows of pixray's grid, divided.",
        ("-psc",), 4, beside=_PIXEL, read=_cells),
    Row("pixel_type", "pixel.cell", "rect", sample="hex", beside=_PIXEL),
    Row("pixel_edge_check", "", "true", "Cells reach beyond the edge, so it is always covered.",
        sample=False, beside=_PIXEL, switch=True, whose="pixray",
        read=gone("cells always cover the picture's edge")),
    Row("pixel_iso_check", "pixel.cells", "true", "Cells are regular unless they are counted.",
        sample=False, beside=_PIXEL, switch=True, read=_regular, whose="pixray"),
    Row("strokes", "clipdraw.strokes", "1024", "For line, line.strokes. Our default is 256.",
        ("-st",), 8, beside=_STROKES, read=_of_strokes("strokes")),
    Row("min_stroke_width", "clipdraw.min_width", "1", "Full width here; it was half of it.",
        sample=1, beside=_STROKES, read=_of_strokes("min_width", 2)),
    Row("max_stroke_width", "clipdraw.max_width", "5", "Full width here; it was half of it.",
        sample=4, beside=_STROKES, read=_of_strokes("max_width", 2)),
    Row("stroke_length", "line.segments", "8", sample=4, beside=_LINES),
    Row("allow_paper_color", "line.learn_paper", "false", sample=True, beside=_LINES, switch=True,
        read=lambda r, n, v: r.put("line.learn_paper", told(n, v))),
    Row("fft_use", "", "fft", "Fourier alone.", sample="fft", beside=_FFT, whose="pixray",
        read=lambda r, n, v: _only_fourier(r, n, v)),
    Row("fft_decay", "fft.decay", "1.5", "Our default is 1.2.", sample=1.5, beside=_FFT,
        whose="pixray"),
    Row("fft_wave", "", "coif2", "Fourier alone.", sample="coif2", beside=_FFT,
        read=gone(_NO_WAVELETS), whose="pixray"),
    Row("fft_sharp", "", "0.3", "Fourier alone; see fft.decay.", sample=0.3, beside=_FFT,
        read=gone(_NO_WAVELETS), whose="pixray"),
    Row("fft_colors", "fft.colors", "1.5", "It works now. Our default is 1.8.", sample=1.5,
        beside=_FFT, whose="pixray"),
    Row("fft_lrate", "fft.learning_rate", "0.3", "Pictures are not divided by their contrast, so "
        "our default is 0.1: a third is taken.", sample=0.3, beside=_FFT, whose="pixray",
        read=times("fft.learning_rate", 1 / 3)),
    *(Row(name, "", default, "No diffusion model.", sample=default, read=gone(_NO_DIFFUSION),
          whose="pixray")
      for name, default in (("vdiff_model", "yfcc_2"), ("vdiff_schedule", "default"),
                            ("vdiff_skip", "0"), ("vdiff_init_skip", "0"))),
    Row("super_resolution_model", "", "RealESRGAN_x4plus", "Draw larger instead.",
        sample="RealESRGAN_x4plus", read=gone("draw larger instead (scale, size)"),
        whose="pixray"),
)  # fmt: skip

LOSSES: tuple[Row, ...] = (
    Row("palette_weight", "losses", "1", "losses=palette:WEIGHT.", sample=2,
        beside=_with("palette", palette="black->red\\4"), read=_weight("palette"), whose="pixray"),
    Row("saturation_weight", "losses", "1", "losses=saturation:WEIGHT.", sample=2,
        beside=_with("saturation"), read=_weight("saturation"), whose="pixray"),
    Row("symmetry_weight", "losses", "1", "losses=symmetry:WEIGHT.", sample=2,
        beside=_with("symmetry"), read=_weight("symmetry"), whose="pixray"),
    Row("smoothness_weight", "losses", "1", "losses=smoothness:WEIGHT.", sample=2,
        beside=_with("smoothness"), read=_weight("smoothness"), whose="pixray"),
    Row("smoothness_type", "smoothness.kind", "default", "default is vectorial.", sample="clipped",
        beside=_with("smoothness"), read=_word("smoothness.kind", _KINDS), whose="pixray"),
    Row("smoothness_gaussian_kernel", "smoothness.kernel", "0", sample=3,
        beside=_with("smoothness"), whose="pixray"),
    Row("smoothness_gaussian_std", "smoothness.std", "1", "A standard deviation; it was half of "
        "one.", sample=1, beside=_with("smoothness"), whose="pixray",
        read=times("smoothness.std", 2 ** 0.5)),
    Row("smoothness_spacing", "smoothness.spacing", "1", sample=2, beside=_with("smoothness"),
        whose="pixray"),
    Row("smoothness_edge_order", "smoothness.edge_order", "1", sample=2,
        beside=_with("smoothness", smoothness_type="default"), whose="pixray"),
    Row("edge_thickness", "edge.thickness", "5", sample=10, beside=_with("edge"), whose="pixray"),
    Row("edge_margins", "edge.margins", "none", sample=[5, 5, 0, 10], beside=_with("edge"),
        many=True, whose="pixray"),
    Row("edge_color", "edge.color", "white", sample="navy", beside=_with("edge"),
        read=_color("edge.color"), whose="pixray"),
    Row("edge_color_weight", "edge.color_weight", "0.1", sample=0.2, beside=_with("edge"),
        whose="pixray"),
    Row("global_color_weight", "edge.global_weight", "0.05", sample=0.1, beside=_with("edge"),
        whose="pixray"),
    Row("edge_input_image", "edge.image", "none", sample="{picture}", beside=_with("edge"),
        whose="pixray"),
    Row("edge_mask_image", "edge.mask", "none", sample="{mask}", beside=_with("edge"),
        whose="pixray"),
    Row("style_file", "style.file", "none", "The style is measured without a network, or by a "
        "VGG whose weights are given.", sample="{picture}", beside=_with("style"), whose="pixray"),
    *(Row(name, "", default, "Our style loss has no such part.", sample=default,
          beside=_with("style", style_file="{picture}"), whose="pixray",
          read=gone("our loss style has no such part"))
      for name, default in (("styleloss_content_weight", "32"), ("styleloss_ospace", "uniform"),
                            ("styleloss_skip", "100"), ("styleloss_every", "1"))),
    Row("aesthetic_target", "aesthetic.target", "10", "The head's weights are yours: "
        "aesthetic.weights.", sample=8, whose="pixray"),
    Row("gaussian_weight", "losses", "1", "losses=gaussian:WEIGHT; pixray's was never reachable.",
        sample=2, beside=_with("gaussian"), read=_weight("gaussian"), whose="pixray"),
    Row("gaussian_std", "gaussian.width", "40 40", "gaussian.width and gaussian.height.",
        sample=[30, 40], beside=_with("gaussian"), read=_sides, many=True, whose="pixray"),
    Row("gaussian_color", "gaussian.color", "white", sample=[255, 255, 0],
        beside=_with("gaussian"), read=_color("gaussian.color"), many=True, whose="pixray"),
)  # fmt: skip

FILTERS: tuple[Row, ...] = (
    Row("lookup_beta", "lookup.commitment", "10", "10 is our 1.5.", sample=10,
        beside={"filters": "lookup", "palette": "black->red\\4"}, read=_commitment,
        whose="pixray"),
    Row("wallpaper_type", "tiler.repeat", "none", "shift is brick.", sample="shift",
        beside={"filters": "wallpaper"}, read=_word("tiler.repeat", _REPEATS), whose="pixray"),
    Row("wallpaper_edge_match", "tiler.seam", "0", "How much edges are drawn together, not over "
        "how many pixels: 1 for any number.", sample=4, beside={"filters": "wallpaper"},
        read=lambda r, n, v: r.put("tiler.seam", 1.0 if number_of(n, v) > 0 else 0.0),
        whose="pixray"),
)  # fmt: skip


def _only_fourier(reading: Reading, name: str, value: Any) -> None:
    if value not in (None, "fft"):
        raise SettingsError(f"{name} {value!r} is not part of text2art: {_NO_WAVELETS}")
