"""The core settings of pixray and clipit, in the order of pixray's own table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from text2art.aliases import number
from text2art.ancestors.patterns import picture, pictures
from text2art.ancestors.row import (
    Reading,
    Row,
    gone,
    level,
    listed,
    number_of,
    pair,
    same,
    times,
    told,
    yes_or_no,
)
from text2art.errors import SettingsError
from text2art.moments import parse_moment
from text2art.presets import PRESETS
from text2art.prompts import parse_prompts

_GONE_DRAWERS: Mapping[str, str] = {
    "vdiff": "it draws by a diffusion model; the nearest is vqgan",
    "super_resolution": "it enlarged pictures; draw larger (scale, size) instead",
}
_PERIOD = "10 iterations"  # of pixray's save_every and of its overlay
_LOOKED_UP = "PICO-8"  # stands in for the 16 colors that pixray's lookup had


def _drawer(reading: Reading, name: str, value: Any) -> None:
    if value in _GONE_DRAWERS:
        raise SettingsError(f"drawer {value!r} is not part of text2art: {_GONE_DRAWERS[value]}")
    same("drawer")(reading, name, value)


def _filters(reading: Reading, name: str, value: Any) -> None:
    """Read pixray's filters; what it called wallpaper is a way to tile."""
    parts = listed(value, ",")
    spelled = [f"tiler{part[9:]}" if part.startswith("wallpaper") else part for part in parts]
    if spelled:
        reading.put("filters", ",".join(spelled))
    named = {part.partition("->")[0].partition(":")[0].strip() for part in parts}
    if "lookup" in named and not any(map(reading.old.get, ("palette", "target_palette"))):
        reading.put("lookup.palette", _LOOKED_UP)
        reading.notices.append(
            f"filters: lookup takes the palette {_LOOKED_UP}, since none is given; pixray had 16 "
            "colors of its own for that"
        )


def _losses(reading: Reading, name: str, value: Any) -> None:
    """Read pixray's losses beside our own defaults, which no picture should lack."""
    for part in listed(value, ","):
        if part.partition(":")[0].partition("->")[0].strip() == "resmem":
            raise SettingsError(
                "custom_loss 'resmem' is not part of text2art: its network is not published under "
                "a free license; losses of your own come in by add_custom_loss"
            )
    same("losses")(reading, name, value)


def _noise_seeds(reading: Reading, name: str, value: Any) -> None:
    seeds = _words(value)
    weights = _words(reading.old.get("noise_prompt_weights"))
    if weights and len(weights) != len(seeds):
        raise SettingsError(
            f"noise_prompt_weights has {len(weights)} numbers and noise_prompt_seeds {len(seeds)}: "
            "give one for each"
        )
    pairs = zip(seeds, weights or ["1"] * len(seeds), strict=True)
    prompts = [f"{seed}:{number_of('noise_prompt_weights', weight):g}" for seed, weight in pairs]
    if prompts:
        reading.put("noise_prompts", prompts)


def _words(value: Any) -> list[str]:
    spaced = value.replace("|", " ").replace(",", " ") if isinstance(value, str) else value
    return listed(spaced, " ") if not isinstance(spaced, int | float) else [str(spaced)]


def _nothing(reading: Reading, name: str, value: Any) -> None:
    """Leave what another row reads, or what the calls themselves read."""


def _perceptors(reading: Reading, name: str, value: Any) -> None:
    """Read a set of models, or names of some; SLIP's models are not among ours."""
    word = str(value).strip().lower()
    if word in ("slip", "mixed"):
        reading.notices.append(
            f"{name}={value}: models of SLIP are not part of text2art; the CLIP models of the "
            "quality look instead"
        )
    # clip was the default: named or not, it is who looks here by default.
    same("perceptor")(reading, name, "auto" if word in ("clip", "slip", "mixed") else value)


def _learning_rate(reading: Reading, name: str, value: Any) -> None:
    """Read Adam's step, which only drawers without an optimizer of their own heeded."""
    if value is None:
        return
    rate = number_of(name, value)
    drawer = reading.settings.get("drawer")
    if drawer == "vqgan":
        reading.put("vqgan.learning_rate", rate)
    elif drawer == "fast_pixel":
        reading.put("learning_rate", rate / 0.2)  # pixray's own default is our usual pace
    else:
        reading.notices.append(f"learning_rate says nothing to the drawer {drawer!r}, as in pixray")


def _drops(reading: Reading, name: str, value: Any) -> None:
    """Read when learning rates fall: percents, or steps of the run."""
    parts = listed(value, ",") if isinstance(value, str) else listed(value)
    percents = []
    for part in parts:
        bare = part.replace(".", "", 1).isdecimal()
        moment = parse_moment(f"{part}%" if bare else part, name)
        preset = PRESETS.get(str(reading.old.get("quality")), PRESETS["normal"])
        steps = number_of("iterations", reading.settings.get("iterations") or preset.iterations)
        percents.append(moment.amount if moment.percent else 100 * moment.amount / steps)
    reading.put("learning_rate_drops", percents)


def _mono(reading: Reading, name: str, value: Any) -> None:
    if told(name, value):
        reading.put("palette", "[black, white]")


def _target_pixels(reading: Reading, name: str, value: Any) -> None:
    """Read clipit's weight of the difference to the target's pixels, as our loss edge.

    With no border left, that is the mean square of the difference all over the picture.
    """
    weight = 0.0 if value is None else number_of(name, value)
    if not weight:
        return
    targets = reading.settings.get("target_images")
    if not targets:
        reading.notices.append(f"{name} does nothing without target_images, as in clipit")
        return
    first = parse_prompts(targets, images=True)[0].text
    whole = {"image": first, "margins": (0, 0, 0, 0), "color_weight": 1, "global_weight": 1}
    for option, setting in whole.items():
        reading.put(f"edge.{option}", setting)
    _add_loss(reading, f"edge:{weight:g}")


def _add_loss(reading: Reading, loss: str) -> None:
    present = reading.settings.get("losses")
    reading.put("losses", ",".join(filter(None, [str(present or ""), loss])))


def _device(reading: Reading, name: str, value: Any) -> None:
    if value not in (None, "", "cuda", "cuda:0", "cpu"):
        raise SettingsError(
            f"{name} {value!r}: write cuda or cpu; which of several GPUs, CUDA_VISIBLE_DEVICES says"
        )


_LEVELS = "0 to 255 became 0 to 1"
_PICTURE = {"init_image": "{picture}"}
_OVERLAY = {"overlay_image": "{picture}"}

# The drawer comes first and iterations next: others depend on them.
CORE: tuple[Row, ...] = (
    Row("drawer", "drawer", "vqgan", "vdiff and super_resolution are gone; pyramid, shapes and "
        "more have come.", sample="pixel", read=_drawer, whose="pixray"),
    Row("iterations", "iterations", "by quality", flags=("-i",), sample=3),
    Row("filters", "filters", "none", "wallpaper is tiler here, and our wallpaper knows the 17 "
        "groups. Without a palette, lookup takes PICO-8.", sample="tiler", read=_filters,
        whose="pixray"),
    Row("custom_loss", "losses", "none", "resmem is gone. Without it, smoothness and framing "
        "are on here.", sample="symmetry:0.5", read=_losses),
    Row("config_file", "", "", "Read by the command line and add_settings alike.",
        sample="{config}", read=_nothing),
    Row("prompts", "prompts", "[]", "More can be said: docs/prompts.md.", ("-p",),
        "a red apple:1:-1 | blue:-0.2"),
    Row("spot_prompts", "spot_prompts", "[]", flags=("-sp", "--spot"), sample="a cat"),
    Row("spot_prompts_off", "spot_prompts_off", "[]", flags=("-spo", "--spot_off"), sample="sky"),
    Row("spot_file", "spot_mask", "a built-in picture", "White is the spot here; black was: the "
        "file is read inverted.", ("-spf",), "{mask}", {"spot_prompts": "a cat"},
        read=lambda r, n, v: same("spot_mask")(r, n, v and f"!{v}")),
    Row("labels", "labels", "[]", flags=("-l",), sample="apple"),
    Row("vector_prompts", "vector_prompts", "textoff", "Off unless given. textoff is made from "
        "words with the perceptor at hand.", ("-vp",), "textoff", whose="pixray"),
    Row("image_prompts", "image_prompts", "[]", flags=("-ip",), sample="{picture}",
        read=pictures("image_prompts")),
    Row("image_prompt_weight", "image_prompt_weight", "1", flags=("-ipw",), sample=0.5,
        beside={"image_prompts": "{picture}"}),
    Row("image_prompt_shuffle", "image_prompt_shuffle", "false", flags=("-ips",), sample=True,
        beside={"image_prompts": "{picture}"}, switch=True, read=yes_or_no("image_prompt_shuffle")),
    Row("image_labels", "image_labels", "none", flags=("-il",), sample="{picture}",
        beside={"drawer": "vqgan"}, read=pictures("image_labels")),
    Row("image_label_weight", "image_label_weight", "1", flags=("-ilw",), sample=0.5,
        beside={"drawer": "vqgan", "image_labels": "{picture}"}),
    Row("save_every", "save_every", _PERIOD, "Off unless given.", ("-se",), "2 iterations"),
    Row("save_intermediates", "save_intermediates", "true", "Off unless given; pictures in a "
        "folder beside the result; for the film, see make_video.", ("-si",), True, switch=True,
        read=yes_or_no("save_intermediates"), whose="pixray"),
    Row("display_every", "display_every", "20 iterations", flags=("-de",), sample="2 iterations"),
    Row("display_clear", "", "false", "A picture shown in a notebook is always replaced by the "
        "next.", ("-dc",), True, switch=True, whose="pixray",
        read=gone("a picture in a notebook is always replaced by the next")),
    Row("overlay_every", "overlay_every", _PERIOD, flags=("-ove",), sample="2 iterations",
        beside=_OVERLAY),
    Row("overlay_offset", "overlay_offset", "0 iterations", flags=("-ovo",), sample="1 iteration",
        beside=_OVERLAY),
    Row("overlay_until", "overlay_until", "none", flags=("-ovu",), sample="80%", beside=_OVERLAY,
        whose="pixray"),
    Row("overlay_image", "overlay_image", "none", "One file.", ("-ovi",), "{picture}",
        read=picture("overlay_image")),
    Row("quality", "quality", "normal", "clipit's own rows are clipit-draft and so on.",
        ("-qua",), "draft"),
    Row("aspect", "aspect", "widescreen", "Our own default is square.", ("-asp",), "square"),
    Row("ezsize", "scale", "none", "small, medium and large are 1, 2 and 4.", ("-ezs",), "small",
        read=lambda r, n, v: r.put("scale", number(n, v))),
    Row("scale", "scale", "by quality", flags=("-sca",), sample=0.5),
    Row("overlay_alpha", "overlay_alpha", "none", _LEVELS + "; the overlay's own alpha counts, "
        "too.", ("-ova",), 128, _OVERLAY, read=level("overlay_alpha")),
    Row("size", "size", "none", flags=("-s",), sample=(40, 24), many=True, read=pair("size")),
    Row("init_image", "init_image", "none", "One file; several are an animation: animation_dir.",
        ("-ii",), "{picture}", read=picture("init_image")),
    Row("init_image_alpha", "init_alpha", "200", _LEVELS + ", which is the default: the picture "
        "was laid over noise and then used without it.", ("-iia",), 128, _PICTURE,
        level("init_alpha")),
    Row("init_noise", "init_noise", "pixels", "Off unless given: drawers have starts of their own.",
        ("-in",), "gradient"),
    Row("target_images", "target_images", "none", flags=("-ti",), sample="{picture}:0.5",
        read=pictures("target_images")),
    Row("target_image_weight", "target_images", "1", "Written behind the file: cat.png:0.5.",
        ("-tiw",), 0.5, {"target_images": "{picture}"}, whose="clipit",
        read=lambda r, n, v: _weigh_targets(r, n, v)),
    Row("target_weight_pix", "edge.image", "0", "The loss edge on the whole picture: mean squares "
        "where it was mean differences.", ("-twp",), 0.5, {"target_images": "{picture}"},
        whose="clipit", read=_target_pixels),
    Row("animation_dir", "animation_dir", "none", "Holds the pictures that frames start from; the "
        "film is the result.", ("-anim",), "{folder}"),
    Row("animation_alpha", "animation_alpha", "128", _LEVELS + ".", ("-ana",), 64,
        {"animation_dir": "{folder}"}, level("animation_alpha")),
    Row("init_weight", "init_weight_spherical", "none", "init_weight is the mean square here.",
        ("-iw",), 0.5, _PICTURE),
    Row("init_weight_dist", "init_weight", "0", "Halved: pixray halved it itself.", ("-iwd",), 0.5,
        _PICTURE, times("init_weight", 0.5)),
    Row("init_weight_cos", "init_weight_cos", "0", flags=("-iwc",), sample=0.5, beside=_PICTURE),
    Row("init_weight_pix", "init_weight_pix", "0", flags=("-iwp",), sample=0.5, beside=_PICTURE),
    Row("perceptors", "perceptor", "clip", "slip and mixed are read as clip: SLIP's models are "
        "not part of text2art.", sample="toy", read=_perceptors, whose="pixray"),
    Row("clip_models", "perceptor", "by quality", "Each may have a weight: ViT-B/32:0.5.",
        ("-m",), "toy"),
    Row("noise_prompt_seeds", "noise_prompts", "[]", "Seeds and weights in one: 1:0.5 | 2:0.5.",
        ("-nps",), "1 2", read=_noise_seeds, many=True),
    Row("noise_prompt_weights", "noise_prompts", "[]", "See noise_prompt_seeds.", ("-npw",),
        "0.5 1", {"noise_prompt_seeds": "1 2"}, _nothing, many=True),
    Row("learning_rate", "vqgan.learning_rate", "0.2", "Our learning_rate multiplies the rates of "
        "every drawer.", ("-lr",), 0.1, {"drawer": "vqgan"}, _learning_rate),
    Row("learning_rate_drops", "learning_rate_drops", "75%", "Moments are kept at a drop, so "
        "nothing jumps.", ("-lrd",), ["50%"], read=_drops, many=True, whose="pixray"),
    Row("auto_stop", "auto_stop", "false", flags=("-as",), sample=True, switch=True,
        read=yes_or_no("auto_stop"), whose="pixray"),
    Row("num_cuts", "cuts", "by quality", flags=("-cuts",), sample=4),
    Row("batches", "batches", "by quality", flags=("-bats",), sample=2),
    Row("cut_power", "", "1", "It did nothing in pixray and clipit either.", ("-cutp",), 1.0,
        read=gone("it did nothing in pixray and clipit either")),
    Row("seed", "seed", "none", flags=("-sd",), sample="any words"),
    Row("optimiser", "optimizer", "Adam", flags=("-opt",), sample="AdamW"),
    Row("make_video", "make_video", "false", flags=("-vid",), sample=True,
        beside={"video_format": "gif"}, switch=True, read=yes_or_no("make_video")),
    Row("cudnn_determinism", "", "false", "The same seed gives the same bits on a CPU; on a GPU "
        "see TEXT2ART_DETERMINISTIC.", ("-d",), True, switch=True,
        read=gone("the same seed gives the same picture as it is")),
    Row("cuda_device", "TEXT2ART_DEVICE", "cuda:0", "The environment says it.", ("-cud",), "cpu",
        read=_device),
    Row("palette", "palette", "none", "Also .hex, .gpl, .pal, .ase, .aseprite and built-in "
        "palettes: docs/pixel-art.md.", sample="[black, red, #ff0000]"),
    Row("transparent", "transparent", "false", sample=True, beside={"drawer": "pixel"},
        switch=True, read=yes_or_no("transparent"), whose="pixray"),
    Row("transparent_weight", "transparent_weight", "0", sample=0.5,
        beside={"drawer": "pixel", "transparent": True}, whose="pixray"),
    Row("alpha_use_g", "", "false", "It did nothing in pixray 1.9.1 either.", sample=True,
        switch=True, read=gone("it did nothing in pixray 1.9.1 either"), whose="pixray"),
    Row("alpha_gamma", "", "4", "It did nothing in pixray 1.9.1 either.", sample=4,
        read=gone("it did nothing in pixray 1.9.1 either"), whose="pixray"),
    Row("output", "--out", "output.png", "The result's save in Python; a name, not a path.",
        ("-o",), "result.png", read=_nothing),
    Row("outdir", "--out", "outputs/%DATE%_%SEQ%", "%DATE%, %SEQ%, %PROMPT%, %SEED% still mean "
        "what they meant; files are in the working folder unless it is given.", sample="{out}",
        read=_nothing, whose="pixray"),
    Row("do_mono", "palette", "false", "A palette of black and white.", ("-mo",), True, switch=True,
        read=_mono, whose="clipit"),
    Row("use_pixeldraw", "drawer", "false", "drawer=pixel.", ("-pd",), True, switch=True,
        read=_nothing, whose="clipit"),
    Row("use_clipdraw", "drawer", "false", "drawer=clipdraw.", ("-cd",), True, switch=True,
        read=_nothing, whose="clipit"),
    Row("use_vqgandraw", "drawer", "false", "drawer=vqgan.", sample=True, switch=True,
        read=_nothing, whose="clipit"),
    Row("target_palette", "palette", "none", "palette.", ("-tp",), "black->red\\4",
        whose="clipit"),
    Row("enforce_palette_annealing", "losses", "none", "The loss palette, which does not grow "
        "with the steps.", ("-epw",), 5000, {"target_palette": "black->red\\4"}, whose="clipit",
        read=lambda r, n, v: _enforce(r, n, v, "palette")),
    Row("enforce_smoothness", "losses", "0", "The loss smoothness, which does not grow with the "
        "steps.", ("-esw",), 10, whose="clipit",
        read=lambda r, n, v: _enforce(r, n, v, "smoothness")),
    Row("enforce_saturation", "losses", "0", "The loss saturation, which does not grow with the "
        "steps.", ("-ecw",), 10, whose="clipit",
        read=lambda r, n, v: _enforce(r, n, v, "saturation")),
)  # fmt: skip


def _weigh_targets(reading: Reading, name: str, value: Any) -> None:
    if value is not None:
        weight = number_of(name, value)
        files = listed(reading.settings.get("target_images"))
        reading.put("target_images", [f"{file}:{weight:g}" for file in files])


def _enforce(reading: Reading, name: str, value: Any, loss: str) -> None:
    """Read clipit's losses: weights that grow from nothing to one in so many steps."""
    if value and number_of(name, value) > 0:
        _add_loss(reading, loss)
