"""pixray's and clipit's settings and calls: each one is understood, and does what it did."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from tests.cli_tools import Cli
from text2art import clipit, pixray
from text2art.ancestors.arguments import parse
from text2art.ancestors.calls import Calls
from text2art.ancestors.dialect import CLIPIT, PIXRAY, ROWS, read
from text2art.core import View
from text2art.errors import SettingsError, Text2ArtError

# The settings of pixray 1.9.1's own table, and those that its drawers, losses and filters added.
PIXRAYS = """
    drawer filters custom_loss config_file prompts spot_prompts spot_prompts_off spot_file labels
    vector_prompts image_prompts image_prompt_weight image_prompt_shuffle image_labels
    image_label_weight iterations save_every save_intermediates display_every display_clear
    overlay_every overlay_offset overlay_until overlay_image quality aspect ezsize scale
    overlay_alpha size init_image init_image_alpha init_noise target_images animation_dir
    animation_alpha init_weight init_weight_dist init_weight_cos init_weight_pix perceptors
    clip_models noise_prompt_seeds noise_prompt_weights learning_rate learning_rate_drops auto_stop
    num_cuts batches cut_power seed optimiser make_video cudnn_determinism cuda_device palette
    transparent transparent_weight alpha_use_g alpha_gamma output outdir
    vqgan_model vqgan_config vqgan_checkpoint pixel_size pixel_scale pixel_type pixel_edge_check
    pixel_iso_check strokes min_stroke_width max_stroke_width stroke_length allow_paper_color
    fft_use fft_decay fft_wave fft_sharp fft_colors fft_lrate vdiff_model vdiff_schedule vdiff_skip
    super_resolution_model palette_weight saturation_weight symmetry_weight smoothness_weight
    smoothness_type smoothness_gaussian_kernel smoothness_gaussian_std smoothness_spacing
    smoothness_edge_order edge_thickness edge_margins edge_color edge_color_weight
    global_color_weight edge_input_image edge_mask_image style_file styleloss_content_weight
    styleloss_ospace styleloss_skip styleloss_every aesthetic_target gaussian_weight gaussian_std
    gaussian_color lookup_beta wallpaper_type wallpaper_edge_match
""".split()  # noqa: SIM905
CLIPITS = """
    use_pixeldraw use_clipdraw do_mono target_palette target_image_weight target_weight_pix
    enforce_palette_annealing enforce_smoothness enforce_saturation
""".split()  # noqa: SIM905
TINY: Mapping[str, Any] = {
    "prompts": "a cat",
    "drawer": "pixel",
    "iterations": 3,
    "size": (40, 24),
    "num_cuts": 2,
    "clip_models": "toy",
    "starts": 1,
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Files that samples name, in a working folder of their own."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 24), "orange").save("picture.png")
    mask = Image.new("L", (40, 24), 255)
    mask.paste(0, (10, 5, 30, 20))
    mask.save("mask.png")
    Path("folder").mkdir()
    for number in (1, 2):
        Image.new("RGB", (40, 24), (90 * number, 0, 0)).save(f"folder/{number}.png")
    Path("config.yaml").write_text(yaml.safe_dump({"iterations": 2}))
    return {
        "picture": "picture.png",
        "mask": "mask.png",
        "folder": "folder",
        "config": "config.yaml",
        "out": "made/%SEQ%",
    }


def told(sample: Any, files: Mapping[str, str]) -> Any:
    """Fill in the files of a sample."""
    return sample.format(**files) if isinstance(sample, str) else sample


def size_of(name: str) -> tuple[int, int]:
    """Return the size of a picture."""
    with Image.open(name) as picture:
        size: tuple[int, int] = picture.size
        return size


def pixels(name: str) -> bytes:
    """Return the pixels of a picture."""
    with Image.open(name) as picture:
        data: bytes = picture.tobytes()
        return data


def test_the_table_is_whole() -> None:
    assert set(PIXRAYS) | set(CLIPITS) <= set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_every_old_setting_draws(name: str, files: dict[str, str]) -> None:
    row = ROWS[name]
    given = dict(TINY)
    if name in ("ezsize", "scale", "aspect", "quality"):
        given.pop("size")
    if name.startswith("use_"):
        given.pop("drawer")
    given |= {key: told(value, files) for key, value in row.beside.items()}
    given[name] = told(row.sample, files)
    if row.sample is None:
        assert name == "vqgan_checkpoint"  # the only one that needs a file of half a gigabyte
    calls = Calls(PIXRAY, lambda line: None)
    calls.add_settings(**given)
    applied = calls.apply_settings()
    assert calls.do_run(applied)
    assert applied.path is not None
    assert applied.path.exists()
    if not row.ours and name not in ("config_file", "fft_use"):
        assert any(notice.startswith(f"{name} does nothing here") for notice in applied.notices)


# What a sample comes to, where a value is read differently from how it was written.
READINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"init_image_alpha": 128}, {"init_alpha": 128 / 255}),
    ({"overlay_alpha": 255}, {"overlay_alpha": 1.0}),
    ({"ezsize": "large"}, {"scale": 4.0}),
    ({"init_weight": 2}, {"init_weight_spherical": 2.0, "init_weight": 0.0}),
    ({"init_weight_dist": 2}, {"init_weight": 1.0}),
    ({"spot_file": "spot.png"}, {"spot_mask": "!spot.png"}),
    ({"noise_prompt_seeds": "1 2", "noise_prompt_weights": [0.5, 2]},
     {"noise_prompts": ("1:0.5", "2:2")}),
    ({"learning_rate_drops": "50,75%"}, {"learning_rate_drops": (50.0, 75.0)}),
    ({"learning_rate_drops": ["30 i"], "iterations": 120}, {"learning_rate_drops": (25.0,)}),
    ({"learning_rate_drops": "30 i", "quality": "better"}, {"learning_rate_drops": (10.0,)}),
    ({"perceptors": "clip"}, {"perceptor": "auto"}),
    ({"perceptors": "mixed", "clip_models": "toy"}, {"perceptor": "toy"}),
    ({"vector_prompts": "none"}, {"vector_prompts": ()}),
    ({"image_prompts": "{a,b}/c{1,2}.png:0.5|d.png"},
     {"image_prompts": ("a/c1.png:0.5", "a/c2.png:0.5", "b/c1.png:0.5", "b/c2.png:0.5", "d.png")}),
    ({"image_prompts": "{a|b}.png:{min(t,1)}"}, {"image_prompts": ("{a|b}.png:{min(t,1)}",)}),
    ({"target_images": "a.png:2", "target_weight_pix": 0.5}, {"losses": {"edge": 0.5}}),
    ({"video": "yes", "deterministic": True, "cut_pow": 1}, {"make_video": True}),
    ({"transparency": True, "alpha_weight": 0.5, "drawer": "pixel"},
     {"transparent": True, "transparent_weight": 0.5}),
    ({"do_mono": True}, {"palette": "[black, white]"}),
    ({"custom_loss": "symmetry:2", "symmetry_weight": 3}, {"losses": {"symmetry": 6.0}}),
    ({"enforce_smoothness": 100, "enforce_saturation": 5},
     {"losses": {"smoothness": 1.0, "saturation": 1.0}}),
    ({"filters": "wallpaper", "wallpaper_type": "shift"}, {"filters": "tiler"}),
    ({"use_clipdraw": "yes"}, {"drawer": "clipdraw"}),
    ({"use_clipdraw": "no"}, {"drawer": "vqgan"}),
    ({"drawer": "line_sketch"}, {"drawer": "line"}),
    ({"target_images": "a.png|b.png", "target_image_weight": 0.5},
     {"target_images": ("a.png:0.5", "b.png:0.5")}),
    ({}, {"drawer": "vqgan", "aspect": "widescreen", "quality": "normal", "display_every": 20}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), READINGS)
def test_values_mean_what_they_meant(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    settings = read(PIXRAY, {"prompts": "a cat", **given}).settings
    assert {name: getattr(settings, name) for name in wanted} == wanted


OPTIONS: list[tuple[dict[str, Any], str, str, Any]] = [
    ({"drawer": "pixel", "pixel_type": "hex"}, "pixel", "cell", "hex"),
    ({"drawer": "pixel", "pixel_scale": 2}, "pixel", "cells", (40, 22)),
    ({"drawer": "pixel", "aspect": "square", "pixel_type": "diamond", "pixel_scale": 1},
     "pixel", "cells", (40, 80)),
    ({"drawer": "pixel", "pixel_iso_check": False, "pixel_type": "hex"},
     "pixel", "cells", (80, 45)),
    ({"drawer": "line_sketch", "max_stroke_width": 2}, "line", "max_width", 4.0),
    ({"drawer": "clipdraw", "strokes": "64"}, "clipdraw", "strokes", 64),
    ({"learning_rate": 0.3}, "vqgan", "learning_rate", 0.3),
    ({"drawer": "fft", "fft_lrate": 0.3}, "fft", "learning_rate", pytest.approx(0.1)),
    ({"custom_loss": "smoothness", "smoothness_gaussian_std": 2},
     "smoothness", "std", pytest.approx(2 * 2**0.5)),
    ({"custom_loss": "edge", "edge_color": [1, 0, 0]}, "edge", "color", "#ff0000"),
    ({"filters": "lookup", "lookup_beta": 10}, "lookup", "commitment", pytest.approx(1.5)),
    ({"filters": "wallpaper", "wallpaper_type": "shift"}, "tiler", "repeat", "brick"),
    ({"filters": "lookup"}, "lookup", "palette", "PICO-8"),
    ({"filters": "lookup", "palette": "[red, blue]"}, "lookup", "palette", ""),
    ({"target_images": "a b.png:2|c.png", "target_weight_pix": 0.5}, "edge", "image", "a b.png"),
    ({"target_images": "a.png", "target_weight_pix": 0.5}, "edge", "margins", (0, 0, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("given", "component", "option", "wanted"), OPTIONS)
def test_options_mean_what_they_meant(
    given: dict[str, Any], component: str, option: str, wanted: Any
) -> None:
    settings = read(PIXRAY, {"prompts": "a cat", **given}).settings
    assert getattr(settings.options(component), option) == wanted


def test_the_standard_deviation_of_pixrays_blur() -> None:
    """Its kernel is exp(-(x / 2s)^2): compare with that of our deviation."""
    x = np.arange(-4, 5)
    theirs = np.exp(-((x / (2 * 1.5)) ** 2))
    std = read(PIXRAY, {"custom_loss": "smoothness", "smoothness_gaussian_std": 1.5}).settings
    ours = np.exp(-(x**2) / (2 * std.options("smoothness").std ** 2))
    assert ours == pytest.approx(theirs)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"promts": "a cat"}, "Did you mean 'prompts'"),
    ({"drawer": "vdiff"}, "nearest is vqgan"),
    ({"drawer": "pixle"}, "pixel"),
    ({"custom_loss": "resmem"}, "resmem"),
    ({"ezsize": "huge"}, "small, medium, large"),
    ({"init_image_alpha": 300}, "0 to 255"),
    ({"use_pixeldraw": "perhaps"}, "true or false"),
    ({"learning_rate_drops": "10 parsecs"}, "no moment"),
    ({"noise_prompt_seeds": "1 2", "noise_prompt_weights": "1"}, "one for each"),
    ({"pixel_scale": 0}, "above 0"),
    ({"wallpaper_type": "diagonal"}, "shift"),
    ({"fft_use": "dwt"}, "Fourier"),
    ({"gaussian_std": [1, 2, 3]}, "two percents"),
    ({"cuda_device": "cuda:7"}, "CUDA_VISIBLE_DEVICES"),
    ({"init_image": "nowhere/*.png"}, "no file matches 'nowhere"),
    ({"overlay_image": "nowhere/**x/*.png"}, "nowhere"),
    ({"image_prompts": "{a,b}" * 12}, "more than 1000 files"),
    ({"scale": "nan"}, "scale"),
]


@pytest.mark.parametrize(("given", "hint"), WRONG)
def test_what_is_wrong_is_said(given: dict[str, Any], hint: str) -> None:
    with pytest.raises(SettingsError, match=hint.replace("(", r"\(")) as caught:
        read(PIXRAY, {"prompts": "a cat", **given})
    assert "\n" not in str(caught.value) or "^" in str(caught.value)


# The calls of the seed articles as they stand there, but for the import. The articles run them
# for minutes on a GPU: `brief` shortens what is applied, and nothing else.
PAPERSPACE = """
prompts = "Humans use Machine Learning to make art #pixelart" #@param {type:"string"}
aspect = "widescreen" #@param ["widescreen", "square"]
use_pixeldraw = True #@param {type:"boolean"}

clipit.reset_settings()
clipit.add_settings(prompts=prompts, aspect=aspect)
clipit.add_settings(quality="better", scale=2.5)
clipit.add_settings(use_pixeldraw=use_pixeldraw)
clipit.add_settings(iterations=300, display_every=50)
settings = clipit.apply_settings()
clipit.do_init(settings)
clipit.do_run(settings)
"""
TEXT2ART = """
clipit.reset_settings()
prompts = "underwater city"
quality = "normal"
aspect = "widescreen"
clipit.add_settings(prompts=prompts, quality=quality, aspect=aspect{more})
settings = clipit.apply_settings()
clipit.do_init(settings)
clipit.do_run(settings)
"""
GRADIO = """
def run(prompts, quality, style, aspect):
    clipit.reset_settings()
    use_pixeldraw = (style == 'pixel art')
    use_clipdraw = (style == 'painting')
    clipit.add_settings(prompts=prompts,
                        aspect=aspect,
                        quality=quality,
                        use_pixeldraw=use_pixeldraw,
                        use_clipdraw=use_clipdraw,
                        make_video=True)
    settings = clipit.apply_settings()
    clipit.do_init(settings)
    clipit.do_run(settings)
    return 'output.png', 'output.mp4'

image, video = run("a castle", "draft", {style!r}, "square")
"""


@pytest.fixture
def brief(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the articles' code draw three steps, seen by the toy; return what it applied."""
    applied: list[Any] = []
    as_given: list[Any] = []
    apply = clipit.apply_settings

    def shortened() -> Any:
        as_given.append(apply())
        clipit.add_settings(iterations=3, clip_models="toy", starts=1)
        applied.append(apply())
        return applied[-1]

    monkeypatch.setattr(clipit, "apply_settings", shortened)
    return as_given


def run_article(code: str) -> dict[str, Any]:
    """Run an article's code with the import that it needs here; return its variables."""
    variables: dict[str, Any] = {}
    exec("from text2art import clipit\n" + code, variables)
    return variables


def test_the_seed_articles_example(brief: list[Any]) -> None:
    """Paperspace's: 500 x 280 pixels, saved as output.png."""
    made = run_article(PAPERSPACE)["settings"]
    asked = brief[0].settings
    assert asked.prompts == ("Humans use Machine Learning to make art #pixelart",)
    assert (asked.steps, asked.display_every, asked.drawer) == (300, 50, "pixel")
    assert asked.preset.clip == ("RN50", "ViT-B/32", "ViT-B/16")  # clipit's "better"
    assert asked.canvas_size() == (500, 280)
    assert size_of("output.png") == (500, 280)
    assert made.result.image.size == (500, 280)
    assert made.prompts == "Humans use Machine Learning to make art #pixelart"
    assert clipit.get_settings()["scale"] == 2.5


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_the_seed_articles_example_as_long_as_there() -> None:
    made = run_article(PAPERSPACE)["settings"]
    assert made.result is not None
    assert (made.settings.steps, size_of("output.png")) == (300, (500, 280))
    assert np.asarray(made.result.image).std() > 10  # something was drawn


@pytest.mark.parametrize(
    ("more", "size", "drawer"),
    [
        ("", (400, 224), "vqgan"),
        (", iterations=500", (400, 224), "vqgan"),
        (", use_pixeldraw=True, size=(800,200)", (800, 200), "pixel"),
    ],
)
def test_the_other_articles_calls(
    brief: list[Any], more: str, size: tuple[int, int], drawer: str
) -> None:
    run_article(TEXT2ART.format(more=more))
    asked = brief[0].settings
    assert (asked.canvas_size(), asked.drawer) == (size, drawer)
    assert asked.steps == (500 if "iterations" in more else 350)
    assert size_of("output.png") == size


@pytest.mark.parametrize(
    ("style", "drawer"), [("image", "vqgan"), ("painting", "clipdraw"), ("pixel art", "pixel")]
)
def test_the_other_articles_function_for_gradio(brief: list[Any], style: str, drawer: str) -> None:
    pytest.importorskip("av", reason="films as .mp4 need PyAV")
    made = run_article(GRADIO.format(style=style))
    assert brief[0].settings.drawer == drawer
    assert size_of(made["image"]) == (150, 150)
    assert b"ftyp" in Path(made["video"]).read_bytes()[:12]


def test_sizes_are_each_ancestors_own() -> None:
    given = {"prompts": "a cat", "quality": "normal"}
    assert read(CLIPIT, given).settings.canvas_size() == (400, 224)
    assert read(PIXRAY, given).settings.canvas_size() == (384, 216)
    assert read(CLIPIT, {**given, "size": "64x32"}).settings.canvas_size() == (64, 32)
    started = {**given, "init_image": "a.png"}  # which changes no size
    assert read(CLIPIT, started).settings.canvas_size() == (400, 224)
    cut_off = {**given, "scale": 1.255}
    assert read(PIXRAY, cut_off).settings.canvas_size() == (240, 135)  # 240.96 x 135.54
    assert read(CLIPIT, {**cut_off, "aspect": "square"}).settings.canvas_size() == (188, 188)
    assert read(PIXRAY, {**given, "aspect": "1:1"}).settings.canvas_size() == (288, 288)


@pytest.mark.usefixtures("files")
def test_two_threads_do_not_disturb_each_other() -> None:
    """The seed article's site failed here: a second user's settings were the first one's."""
    ready = threading.Barrier(2)
    sizes: dict[str, tuple[int, int]] = {}

    def user(name: str, size: tuple[int, int]) -> None:
        clipit.reset_settings()
        clipit.add_settings(**{**TINY, "size": size, "output": f"{name}.png"})
        ready.wait(10)
        settings = clipit.apply_settings()
        clipit.do_init(settings)
        ready.wait(60)
        clipit.do_run(settings)
        assert settings.result is not None
        sizes[name] = settings.result.image.size

    users = [
        threading.Thread(target=user, args=("a", (32, 24))),
        threading.Thread(target=user, args=("b", (24, 32))),
    ]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    assert sizes == {"a": (32, 24), "b": (24, 32)}
    assert clipit.get_settings() != {**TINY, "size": (32, 24)}


@pytest.mark.usefixtures("files")
def test_applied_runs_are_apart() -> None:
    pixray.reset_settings()
    pixray.add_settings(**TINY, seed=1, output="one.png")
    one = pixray.apply_settings()
    pixray.reset_settings()
    pixray.add_settings(**TINY, seed=2, output="two.png", display_every=1)
    two = pixray.apply_settings()
    assert not pixray.do_run(two, return_display=True)
    assert pixray.do_run(one)
    while not pixray.do_run(two, return_display=True):
        pass
    alone = Calls(PIXRAY)
    alone.add_settings(**TINY, seed=2, output="again.png")
    assert alone.do_run(alone.apply_settings())
    assert pixels("two.png") == pixels("again.png")


class Redness:
    """A loss as users of pixray wrote them."""

    def __init__(self, device: Any = None) -> None:
        self.device = device

    @staticmethod
    def add_settings(parser: Any) -> Any:
        """Add a setting of its own."""
        parser.add_argument("--redness", type=float, default=1.0)
        return parser

    def parse_settings(self, args: Any) -> Any:
        """Read it."""
        args.redness = float(args.redness)
        return args

    def add_globals(self, args: Any) -> dict[str, Any]:
        """Keep what steps share."""
        return {"seen": []}

    def get_loss(
        self,
        cutouts: Any,
        out: Any,
        args: Any,
        globals: Any = None,  # noqa: A002
        lossGlobals: Any = None,  # noqa: N803
    ) -> Any:
        """Want red; look at all that pixray gave."""
        lossGlobals["seen"].append(globals["cur_iteration"])
        assert globals["embeds"].shape[0] == next(iter(cutouts.values())).shape[0]
        assert lossGlobals["seen"] == list(range(len(lossGlobals["seen"])))
        return [args.redness * (1 - out[:, 0]).mean(), args.redness * out[:, 1:].mean()]


class Blueness:
    """A loss of ours."""

    name = "blueness"
    weight = 1.0

    def __call__(self, view: View) -> torch.Tensor:
        """Want blue."""
        return view.image[:, :2].mean() - view.image[:, 2].mean()


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("loss", "channel"), [(Redness, 0), (Blueness, 2)])
def test_losses_of_ones_own(loss: type, channel: int) -> None:
    calls = Calls(PIXRAY)
    calls.add_custom_loss("mine", loss)
    more = {"redness": 2} if loss is Redness else {}
    calls.add_settings(**{**TINY, "iterations": 20}, custom_loss="mine:20", **more)
    applied = calls.apply_settings()
    assert calls.do_run(applied)
    assert applied.result is not None
    means = np.asarray(applied.result.image, dtype=float).mean((0, 1))
    assert means.argmax() == channel
    assert means[channel] > 150


def test_what_is_no_loss_is_refused() -> None:
    calls = Calls(PIXRAY)
    with pytest.raises(SettingsError, match="there is a loss of that name"):
        calls.add_custom_loss("symmetry", Redness)
    with pytest.raises(SettingsError, match="neither"):
        calls.add_custom_loss("mine", 3)
    with pytest.raises(SettingsError, match="redness"):
        calls.add_settings(redness=2)  # nobody added it


def test_a_loss_whose_settings_cannot_be_added_is_told() -> None:
    class Bound:
        def add_settings(self, parser: Any) -> None:
            """Need an object, which there is not yet."""

        def get_loss(self, cutouts: Any, out: Any, args: Any) -> Any:
            """Never get here."""

    calls = Calls(PIXRAY)
    calls.add_custom_loss("mine", Bound)
    with pytest.raises(SettingsError, match="static method"):
        calls.add_settings(prompts="a cat")


def test_pixrays_command_line() -> None:
    flags = "--drawer pixel -s 64 32 starts=1 -vid no --pixel_t hex -as -lrd 50 75 fft.decay=1.5"
    given = parse(["-p", "a cat|a = b", *flags.split(), "-i", "20"])
    assert given == {
        "prompts": "a cat|a = b",
        "drawer": "pixel",
        "size": ["64", "32"],
        "starts": "1",
        "make_video": "no",
        "pixel_type": "hex",
        "auto_stop": True,
        "learning_rate_drops": ["50", "75"],
        "fft": {"decay": "1.5"},
        "iterations": "20",
    }
    settings = read(PIXRAY, given).settings
    assert settings.size == (64, 32)
    assert settings.auto_stop
    assert not settings.make_video


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (["--nonsense", "1"], "unknown argument '--nonsense'"),
        (["--pixel_tipe=hex"], "Did you mean 'pixel_type'"),
        (["--promts", "a cat"], "Did you mean 'prompts'"),
        (["-i"], "expected one argument"),
        (["more"], "unknown argument 'more'"),
        (["fft=1", "fft.decay=2"], "fft is set already"),
    ],
)
def test_a_wrong_command_line_is_one_line(wrong: list[str], hint: str) -> None:
    with pytest.raises(Text2ArtError, match=hint) as caught:
        parse(wrong)
    assert "\n" not in str(caught.value)


def test_clipits_and_pixrays_other_spellings_of_flags() -> None:
    flags = "--video yes --deterministic no -sd 7 -ps 8 6 -psc 2 -twp 1 --spot a"
    given = parse(flags.split())
    settings = read(PIXRAY, {**given, "target_weight_pix": 0, "drawer": "pixel"}).settings
    assert settings.make_video
    assert settings.seed == 7
    assert settings.spot_prompts == ("a",)


def test_text2art_pixray_draws(cli: Cli) -> None:
    words = ["-p", "a cat", "--drawer", "pixel", "-i", "2", "-s", "32", "24", "--perceptors", "toy"]
    done = cli("pixray", *words, "-o", "cat.png", "starts=1")
    assert done.code == 0, done.err
    assert done.last == "cat.png"
    with Image.open("cat.png") as picture:
        assert picture.size == (32, 24)
        assert json.loads(picture.info["text2art"])["settings"]["drawer"] == "pixel"


def test_the_help_lists_pixrays_flags(cli: Cli) -> None:
    done = cli("pixray", "--help")
    assert done.code == 0
    assert "-spf" in done.out
    assert "--pixel_type" in done.out


@pytest.mark.usefixtures("files")
def test_pixrays_output_is_a_name() -> None:
    calls = Calls(PIXRAY)
    calls.add_settings(**TINY, output="../escaped.png")
    with pytest.raises(Text2ArtError, match="outdir"):
        calls.do_run(calls.apply_settings())


@pytest.mark.usefixtures("files")
def test_clipits_output_may_be_a_path() -> None:
    calls = Calls(CLIPIT)
    calls.add_settings(**TINY, output="series/cat.png")
    applied = calls.apply_settings()
    assert calls.do_run(applied)
    assert size_of("series/cat.png") == TINY["size"]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("setting", ["init_image", "overlay_image"])
def test_of_several_files_the_first_is_taken(setting: str) -> None:
    told = read(PIXRAY, {"prompts": "a cat", setting: "folder/{2,1}*.png"})
    assert Path(getattr(told.settings, setting)) == Path("folder/2.png")
    assert ["2 files match" in notice for notice in told.notices] == [True]
    one = read(PIXRAY, {"prompts": "a cat", setting: "folder/1*"})
    assert Path(getattr(one.settings, setting)) == Path("folder/1.png")
    assert not one.notices


def test_pixrays_video_flag_keeps_its_value(cli: Cli) -> None:
    words = ["-p", "a cat", "--drawer", "pixel", "-i", "2", "-s", "32", "24", "--perceptors", "toy"]
    done = cli("pixray", *words, "--video", "no", "starts=1")
    assert done.code == 0, done.err
