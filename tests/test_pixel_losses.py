"""Losses on pixels and statistics against independent formulas; their files; init losses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

import text2art
from text2art import registry
from text2art.core import Canvas, Context, Loss, View
from text2art.cutouts.recipes import ViewSampler
from text2art.errors import SettingsError, WeightsCorrupt, WeightsMissing
from text2art.losses import init
from text2art.losses.aesthetic import AestheticLoss, Head
from text2art.losses.edge import EdgeLoss
from text2art.losses.gaussian import GaussianLoss
from text2art.losses.palette import PaletteLoss
from text2art.losses.pixels import blur
from text2art.losses.range import RangeLoss
from text2art.losses.smoothness import SmoothnessLoss
from text2art.losses.style import StyleLoss, gram
from text2art.losses.symmetry import SymmetryLoss
from text2art.losses.transparency import TransparencyLoss
from text2art.losses.tv import TvLoss
from text2art.losses.vgg import Vgg, load_vgg
from text2art.models import Models
from text2art.options.cutouts import ViewOptions
from text2art.options.losses import (
    AestheticOptions,
    EdgeOptions,
    GaussianOptions,
    RangeOptions,
    SmoothnessOptions,
    StyleOptions,
    SymmetryOptions,
)
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import pick, stream
from text2art.session import Session
from text2art.settings import Settings

CPU = pick("cpu")
Array = NDArray[np.float64]


def noise(*shape: int, seed: str = "pixel losses") -> Tensor:
    return torch.rand(*shape, generator=stream(seed, "noise"))


def view_of(image: Tensor) -> View:
    return View(image, 0, 0.0, ViewSampler(ViewOptions(), 3, seed=0))


def value(loss: Loss, image: Tensor) -> float:
    return float(loss(view_of(image)))


def context(
    width: int = 16, height: int = 12, palette: list[list[float]] | None = None, *looking: Any
) -> Context:
    colors = None if palette is None else torch.tensor(palette)
    canvas = Canvas(width, height, CPU.device, lambda p: stream("test", p), colors)
    return Context(canvas, [(perceptor, 1.0) for perceptor in looking])


def array(image: Tensor) -> Array:
    return image[0].double().numpy()


# ---- smoothness, total variation, symmetry -----------------------------------------------------


@pytest.mark.parametrize("kind", ["vectorial", "clipped", "log"])
@pytest.mark.parametrize(("spacing", "order"), [(1.0, 1), (0.1, 2)])
def test_kinds_of_smoothness_follow_numpy(kind: Any, spacing: float, order: int) -> None:
    image = noise(1, 3, 112, 20).double()
    options = SmoothnessOptions(kind=kind, spacing=spacing, edge_order=order)
    a: Any = array(image)
    down, across = np.gradient(a, spacing, axis=(1, 2), edge_order=order)  # type: ignore[call-overload]
    s = np.sqrt((down**2 + across**2).sum(0)) * 20 / 224
    expected = {"vectorial": s, "clipped": np.minimum(s, 0.5), "log": np.log(1 + s)}[kind].mean()
    assert value(SmoothnessLoss(1.0, options), image) == pytest.approx(expected, rel=1e-3)
    if spacing == 0.1 and kind == "clipped":
        assert expected < s.mean()  # it was clipped


def test_total_variation_follows_numpy() -> None:
    image = noise(1, 3, 20, 28).double()
    a = array(image)
    across = np.diff(a, axis=2, append=a[:, :, -1:])
    down = np.diff(a, axis=1, append=a[:, -1:])
    isotropic = (4 / np.pi) * np.hypot(across, down).mean() * 20 / 64
    assert value(SmoothnessLoss(), image) == pytest.approx(isotropic, rel=0.02)  # noise has no 0
    plain = np.abs(np.diff(a, axis=1)).mean() + np.abs(np.diff(a, axis=2)).mean()
    options = SmoothnessOptions(kind="anisotropic")
    assert value(SmoothnessLoss(1.0, options), image) == pytest.approx(plain * 20 / 64)


def test_total_variation_is_alike_in_all_directions() -> None:
    """Of soft stripes at all angles; anisotropic is dearest along a diagonal."""
    at = torch.arange(128.0)
    values: dict[str, list[float]] = {"isotropic": [], "anisotropic": []}
    for angle in np.linspace(0, np.pi, 16, endpoint=False):
        side = float(np.cos(angle)) * at + float(np.sin(angle)) * at[:, None]
        picture = 0.5 + 0.4 * (side / 5).sin()
        for kind, found in values.items():
            options = SmoothnessOptions(kind=kind)
            found.append(value(SmoothnessLoss(1.0, options), picture.expand(1, 3, 128, 128)))
    spread = {kind: max(found) / min(found) for kind, found in values.items()}
    assert spread["isotropic"] < 1.03
    assert spread["anisotropic"] > 1.3
    means = {kind: np.mean(found) for kind, found in values.items()}
    assert means["isotropic"] == pytest.approx(means["anisotropic"], rel=0.05)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_total_variation_of_the_smallest_pictures(size: tuple[int, int]) -> None:
    image = noise(1, 3, *size).requires_grad_()
    loss = SmoothnessLoss()(view_of(image))
    loss.backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert image.grad.isfinite().all()
    assert (loss.item() > 0) == (size != (1, 1))


def test_smoothness_may_blur_first() -> None:
    image = noise(1, 3, 20, 24).double()
    at = np.arange(5) - 2
    line = np.exp(-0.5 * (at / 1.5) ** 2)
    line /= line.sum()
    padded = np.pad(array(image), ((0, 0), (2, 2), (2, 2)), mode="edge")
    across = sum(line[i] * padded[:, :, i : i + 24] for i in range(5))
    expected = sum(line[i] * across[:, i : i + 20] for i in range(5))
    np.testing.assert_allclose(array(blur(image, 5, 1.5)), expected, rtol=1e-9)
    options = SmoothnessOptions(kernel=5, std=1.5)
    blurred = value(SmoothnessLoss(1.0, options), image)
    assert blurred == pytest.approx(value(SmoothnessLoss(), torch.tensor(expected[None])))
    assert blurred < value(SmoothnessLoss(), image) / 2


def test_tv_is_the_mean_square_of_differences_at_any_size() -> None:
    image = noise(1, 3, 32, 40).double()
    a = array(image)
    expected = (np.diff(a, axis=1) ** 2).mean() + (np.diff(a, axis=2) ** 2).mean()
    assert value(TvLoss(), image) == pytest.approx(expected * 32 / 64)
    cells = noise(1, 3, 16, 16)
    sizes = [value(TvLoss(), F.interpolate(cells, scale_factor=k)) for k in (4, 8)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_symmetry_knows_which_halves_are_alike() -> None:
    quarter = noise(1, 3, 6, 8)
    across = torch.cat([quarter, quarter.flip(-1)], dim=-1)
    pictures = {
        "horizontal": across,
        "vertical": torch.cat([quarter, quarter.flip(-2)], dim=-2),
        "both": torch.cat([across, across.flip(-2)], dim=-2),
        "rotational": torch.cat([quarter, quarter.flip(-1, -2)], dim=-1),
    }
    kinds: Any = {"both": {*pictures}, "horizontal": {"horizontal"}, "vertical": {"vertical"},
                  "rotational": {"rotational"}}  # fmt: skip
    for picture, image in pictures.items():
        for kind in pictures:
            options = SymmetryOptions(kind=kind)
            found = value(SymmetryLoss(1.0, options), image)
            assert (found == 0) == (kind in kinds[picture]), (picture, kind)
    image = noise(1, 3, 5, 7).double()
    expected = ((array(image) - array(image)[:, ::-1, ::-1]) ** 2).mean()
    options = SymmetryOptions(kind="rotational")
    assert value(SymmetryLoss(1.0, options), image) == pytest.approx(expected)


# ---- colors ------------------------------------------------------------------------------------


def test_palette_is_three_times_the_mean_distance() -> None:
    colors = [[0.1, 0.2, 0.3], [0.9, 0.1, 0.5], [0.4, 0.8, 0.2]]
    image = noise(1, 3, 12, 16).double()
    loss = PaletteLoss()
    loss.prepare_(context(palette=colors))
    pixels = array(image).reshape(3, -1).T
    apart = np.linalg.norm(pixels[:, None] - np.array(colors)[None], axis=-1)
    assert value(loss, image) == pytest.approx(3 * apart.min(1).mean(), rel=1e-3)
    exact = torch.tensor(colors).T.reshape(1, 3, 1, 3)
    assert value(loss, exact) == pytest.approx(0, abs=1e-6)


def test_palette_without_a_palette_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="the loss palette needs colors: give a palette"):
        PaletteLoss().prepare_(context())


def test_range_is_the_mean_square_beyond_it() -> None:
    image = noise(1, 4, 12, 16).double()
    a = array(image)[:3]
    beyond = np.where(a < 0.2, 0.2 - a, np.where(a > 0.7, a - 0.7, 0))
    options = RangeOptions(low=0.2, high=0.7)
    assert value(RangeLoss(1.0, options), image) == pytest.approx((beyond**2).mean())
    with pytest.raises(SettingsError, match="exchange them"):
        RangeLoss(1.0, RangeOptions(low=0.8, high=0.2))


def test_transparency_is_the_mean_alpha() -> None:
    image = noise(1, 4, 6, 6)
    assert value(TransparencyLoss(), image) == pytest.approx(float(image[:, 3].mean()))
    assert value(TransparencyLoss(), image[:, :3]) == 1


def test_gaussian_fades_to_its_color() -> None:
    image = noise(1, 3, 9, 15).double()
    options = GaussianOptions(color="#ff8000", width=30, height=20)
    y, x = (np.arange(9) + 0.5) / 9 - 0.5, (np.arange(15) + 0.5) / 15 - 0.5
    bell = np.exp(-(y[:, None] ** 2) / (2 * 0.2**2)) * np.exp(-(x**2) / (2 * 0.3**2))
    away = np.abs(array(image) - np.array([1, 128 / 255, 0])[:, None, None])
    found = value(GaussianLoss(1.0, options), image)
    assert found == pytest.approx((away * (1 - bell)).mean())


# ---- edge --------------------------------------------------------------------------------------


def test_edge_is_the_sum_of_its_bands_and_a_little_of_all() -> None:
    image = noise(1, 3, 20, 40).double()
    options = EdgeOptions(thickness=10, color="#336699", color_weight=0.5, global_weight=0.1)
    away = (array(image) - np.array([0.2, 0.4, 0.6])[:, None, None]) ** 2
    bands = [away[:, :, :4], away[:, :, -4:], away[:, :2], away[:, -2:]]
    expected = 0.5 * (sum(band.mean() for band in bands) + 0.1 * away.mean())
    assert value(EdgeLoss(1.0, options), image) == pytest.approx(expected)
    only = EdgeOptions(margins=(0, 25, 0, 0), color="#336699", color_weight=1, global_weight=0)
    assert value(EdgeLoss(1.0, only), image) == pytest.approx(away[:, :, -10:].mean())


def test_edge_takes_a_picture_and_a_mask(tmp_path: Path) -> None:
    other, mask = noise(1, 3, 12, 16), torch.ones(12, 16)
    mask[:, 10:] = 0
    levels = (other[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(levels).save(tmp_path / "other.png")
    Image.fromarray((mask * 255).byte().numpy()).save(tmp_path / "mask.png")
    image = noise(1, 3, 12, 16, seed="drawn")
    options = EdgeOptions(
        image=str(tmp_path / "other.png"), mask=str(tmp_path / "mask.png"),
        color_weight=2, global_weight=0,
    )  # fmt: skip
    loss = EdgeLoss(1.0, options)
    loss.prepare_(context())
    away = (array(image) - levels.transpose(2, 0, 1) / 255) ** 2
    assert value(loss, image) == pytest.approx(2 * away[:, :, 10:].mean(), rel=1e-5)


# ---- style -------------------------------------------------------------------------------------


def stripes(width: int, height: int, shift: int = 0) -> Tensor:
    at = torch.arange(height)[:, None] + torch.arange(width)[None] + shift
    on = ((at // 4) % 2).float()
    return torch.stack([on, 0.2 + 0.3 * on, 1 - on])[None]


def prepared_style(path: Path, **options: Any) -> StyleLoss:
    loss = StyleLoss(1.0, StyleOptions(file=str(path), **options))
    loss.prepare_(context(64, 64))
    return loss


@pytest.fixture
def striped(tmp_path: Path) -> Path:
    levels = (stripes(64, 64)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(levels).save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png"


def test_style_is_about_textures_and_colors_not_places(striped: Path) -> None:
    loss = prepared_style(striped)
    same, moved = value(loss, stripes(64, 64)), value(loss, stripes(64, 64, shift=3))
    other_way = value(loss, stripes(64, 64).flip(-1))
    recolored = value(loss, stripes(64, 64).flip(1))
    flat = value(loss, stripes(64, 64).mean((2, 3), keepdim=True).expand(1, 3, 64, 64))
    assert same < 1e-4  # the file has 8 bits
    assert moved < 0.03
    assert min(other_way, recolored, flat) > 0.06


def test_gram_matrices_are_mean_products() -> None:
    features = noise(1, 5, 6, 7).double()
    flat = array(features).reshape(5, -1)
    np.testing.assert_allclose(gram(features).numpy(), flat @ flat.T / 42)


def test_style_makes_a_texture_from_noise(striped: Path) -> None:
    loss = prepared_style(striped)
    image = noise(1, 3, 32, 32).requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.05)
    start = value(loss, image.detach())
    for _ in range(20):
        optimizer.zero_grad()
        torch.autograd.backward(loss(view_of(image)))
        optimizer.step()
    assert value(loss, image.detach()) < 0.5 * start


def test_style_without_a_file_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"needs a picture: style\.file"):
        StyleLoss().prepare_(context())


def vgg_tensors() -> dict[str, Tensor]:
    shapes = {0: (4, 3), 2: (4, 4), 5: (6, 4), 7: (6, 6)}  # pooling lies between 2 and 5
    tensors = {"classifier.0.weight": torch.ones(3, 6)}
    for place, (out, into) in shapes.items():
        tensors[f"features.{place}.weight"] = noise(out, into, 3, 3, seed=str(place)) - 0.5
        tensors[f"features.{place}.bias"] = noise(out, seed=f"b{place}")
    return tensors


def test_vgg_weights_make_the_network_torchvision_makes(tmp_path: Path, striped: Path) -> None:
    tensors = vgg_tensors()
    channels = {0: (3, 4), 2: (4, 4), 5: (4, 6), 7: (6, 6)}
    convs = {i: torch.nn.Conv2d(a, b, 3, padding=1) for i, (a, b) in channels.items()}
    for i, conv in convs.items():
        conv.load_state_dict({n: tensors[f"features.{i}.{n}"] for n in ("weight", "bias")})
    image = noise(1, 3, 16, 12)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    first = F.relu(convs[0]((image - mean) / std))
    second = F.relu(convs[5](F.avg_pool2d(F.relu(convs[2](first)), 2)))
    found = Vgg(tensors, "tiny", "")(image)
    assert len(found) == 2
    torch.testing.assert_close(found[0], first)
    torch.testing.assert_close(found[1], second)
    save_file(tensors, tmp_path / "vgg.safetensors")
    loss = prepared_style(striped, vgg=str(tmp_path / "vgg.safetensors"))
    assert value(loss, stripes(64, 64)) < 1e-3 < 0.1 < value(loss, noise(1, 3, 64, 64))


def test_what_is_no_vgg_is_refused(tmp_path: Path) -> None:
    wrong = {**vgg_tensors(), "features.5.weight": torch.ones(6, 7, 3, 3)}
    with pytest.raises(WeightsCorrupt, match=r"features\.5 has shape"):
        Vgg(wrong, "tiny", "")
    with pytest.raises(WeightsCorrupt, match="no VGG"):
        Vgg({"weight": torch.ones(2)}, "tiny", "")
    with pytest.raises(WeightsMissing):
        load_vgg(tmp_path / "vgg.pth")


# ---- aesthetic ---------------------------------------------------------------------------------


def head_file(folder: Path, **tensors: Tensor) -> str:
    path = folder / "head.safetensors"
    save_file({name.replace("__", "."): t.contiguous() for name, t in tensors.items()}, path)
    return str(path)


@pytest.mark.parametrize("deep", [False, True])
def test_aesthetic_is_the_square_to_the_target(tmp_path: Path, deep: bool) -> None:
    looker = ToyPerceptor(CPU)
    size = looker.read(["a"]).shape[-1]
    first, bias = noise(3, size) - 0.5, noise(3)
    last = noise(1, 3, seed="last")
    if deep:  # as LAION's later heads, with gaps for dropout
        path = head_file(
            tmp_path, layers__0__weight=first, layers__0__bias=bias, layers__2__weight=last,
            layers__2__bias=torch.tensor([0.5]),
        )  # fmt: skip
    else:
        path = head_file(tmp_path, weight=first[:1], bias=bias[:1])
    loss = AestheticLoss(1.0, AestheticOptions(weights=path, target=4))
    loss.prepare_(context(16, 12, None, looker))
    view = view_of(noise(1, 3, 12, 16))
    seen = view.seen(looker)
    rated = seen @ first.T + bias
    rated = rated @ last.T + 0.5 if deep else rated[:, :1]
    assert float(loss(view)) == pytest.approx(0.02 * float(((rated - 4) ** 2).mean()), rel=1e-5)


def test_aesthetic_says_whom_it_does_not_fit(tmp_path: Path) -> None:
    looker = ToyPerceptor(CPU)
    wrong = AestheticOptions(weights=head_file(tmp_path, weight=torch.ones(1, 5)))
    with pytest.raises(SettingsError, match=r"embeddings of 5 numbers: toy gives \d+"):
        AestheticLoss(1.0, wrong).prepare_(context(16, 12, None, looker))
    with pytest.raises(SettingsError, match="needs a head"):
        AestheticLoss().prepare_(context(16, 12, None, looker))
    with pytest.raises(WeightsMissing):
        gone = AestheticOptions(weights=str(tmp_path / "gone.pt"))
        AestheticLoss(1.0, gone).prepare_(context(16, 12, None, looker))


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": torch.ones(2, 5)},
        {"weight": torch.ones(1, 5), "bias": torch.ones(2)},
        {"layers.0.weight": torch.ones(4, 5), "layers.1.weight": torch.ones(1, 3)},
        {"table": torch.ones(1, 5)},
    ],
)
def test_what_is_no_head_is_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsCorrupt, match="linear layers that end in one number"):
        Head(tensors, "head", "")


# ---- init losses -------------------------------------------------------------------------------


def test_init_measures_follow_their_formulas() -> None:
    x, y = noise(1, 3, 4, 5).double(), noise(1, 3, 4, 5, seed="y").double()
    a, b = x.flatten().numpy(), y.flatten().numpy()
    cos = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert float(init.cosine(x, y)) == pytest.approx(1 - cos, rel=1e-5)
    assert float(init.spherical(x, y)) == pytest.approx(math.acos(cos) ** 2 / 2, rel=1e-5)
    assert float(init.pixels(x, y)) == pytest.approx(np.abs(a - b).mean() / 2)


@pytest.mark.parametrize("name", init.MEASURES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_init_measures_are_finite_on_flat_pictures(name: str, level: float) -> None:
    _, measure = init.MEASURES[name]
    for target in (torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), noise(1, 3, 4, 4)):
        image = torch.full((1, 3, 4, 4), level, requires_grad=True)
        found = measure(image, target)
        torch.autograd.backward(found)
        assert found.isfinite()
        assert image.grad is not None
        assert image.grad.isfinite().all()


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(CPU)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    levels = (noise(24, 32, 3) * 255).byte().numpy()
    Image.fromarray(levels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("name", init.MEASURES)
def test_d6_init_weights_need_an_init_image(models: Models, toy: Any, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} needs an init_image"):
        Session(Settings.of(**toy(**{name: 1})), models=models)


@pytest.mark.parametrize("drawer", ["pixel", "fft", "clipdraw", "vqgan"])
def test_d6_init_weights_pull_at_every_drawer(
    models: Models, toy: Any, photo: Path, drawer: str
) -> None:
    weights = dict.fromkeys(init.MEASURES, 1.0)
    settings = Settings.of(**toy(drawer=drawer, init_image=str(photo), losses="", **weights))
    with Session(settings, models=models) as session:
        parameters = [p for group in session.drawer.groups() for p in group["params"]]
        with torch.no_grad():
            for parameter in parameters:
                parameter.add_(0.1 * noise(*parameter.shape))
        view = session.scene.view(0, 1)
        held = [loss for loss in session.scene.losses if loss.name.startswith("init")]
        assert [loss.name for loss in held] == ["init", "init angle", "init cosine", "init pixels"]
        for loss in held:
            found = loss(view)
            assert float(found.detach()) > 0
            gradients = torch.autograd.grad(found, parameters, retain_graph=True, allow_unused=True)
            assert any(g is not None and bool(g.abs().sum() > 0) for g in gradients), loss.name


def test_init_weight_dist_is_half_of_init_weight() -> None:
    assert Settings.of(prompts="a", init_weight_dist=3).init_weight == 1.5


# ---- through the session -----------------------------------------------------------------------


class Darkness:
    """A loss of the caller's own, that asks for the run."""

    name, weight = "darkness", 2.0
    seen: Context | None = None

    def prepare_(self, run: Context) -> None:
        self.seen = run

    def __call__(self, view: View) -> Tensor:
        return view.image[:, :3].mean()


def test_losses_of_the_callers_own_take_part(models: Models, toy: Any) -> None:
    mine = Darkness()
    terms = None
    with Session(Settings.of(**toy()), models=models, extra_losses=[mine]) as session:
        for frame in session.frames():
            terms = frame.terms
            assert float(terms["darkness"]) == pytest.approx(2 * float(frame.image.mean()))
        assert session.record()["extra_losses"] == [{"name": "darkness", "weight": 2.0}]
    assert mine.seen is not None
    assert (mine.seen.canvas.width, mine.seen.perceptors[0][0].name) == (32, "toy")
    plain, dark = (
        np.asarray(text2art.draw(models=models, extra_losses=more, **toy(iterations=10)).image)
        for more in ([], [Darkness()])
    )
    assert dark.mean() < plain.mean()


@pytest.mark.parametrize(
    ("extra", "message"),
    [([Darkness(), Darkness()], "two losses are called 'darkness'"), ([print], "is no loss")],
)
def test_what_is_no_loss_of_its_own_is_refused(
    models: Models, toy: Any, extra: list[Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Session(Settings.of(**toy()), models=models, extra_losses=extra)


def test_every_loss_can_be_drawn_with(
    models: Models, toy: Any, photo: Path, tmp_path: Path
) -> None:
    size = ToyPerceptor(CPU).read(["a"]).shape[-1]
    wanted = dict.fromkeys(registry.components("losses"), 0.1)
    settings = Settings.of(
        **toy(
            losses=wanted, palette="PICO-8", iterations=1, style={"file": str(photo)},
            aesthetic={"weights": head_file(tmp_path, weight=torch.ones(1, size))},
        )
    )  # fmt: skip
    with Session(settings, models=models) as session:
        *_, last = session.frames()
        assert set(wanted) <= set(last.terms)
        assert all(term.isfinite() for term in last.terms.values())
        assert {n["name"] for n in session.record()["networks"]} == {"head.safetensors"}


def test_d16_no_loss_names_a_device() -> None:
    """pixray's edge loss and target images ran on CUDA alone; devices are named in one place."""
    folder = Path(text2art.__file__).parent
    for path in [*(folder / "losses").glob("*.py"), *(folder / "filters").glob("*.py")]:
        assert ".cuda(" not in path.read_text()
        assert '"cuda' not in path.read_text()
