"""Every registered drawer, perceptor, loss and filter keeps its contract; offenders are caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from tests.test_guidance import KINDS, guidance
from tests.test_guidance import files as files
from tests.tools.clip_files import TINY
from text2art import registry
from text2art.abilities import PLAIN_SVG, SvgStyle
from text2art.core import Canvas, Drawer, Loss, ParamGroup, View
from text2art.cutouts.recipes import ViewSampler
from text2art.filters.seam import SeamLoss
from text2art.losses.init import MEASURES, InitLoss
from text2art.losses.prompt import LatentLoss, PromptLoss, Target
from text2art.options.cutouts import ViewOptions
from text2art.options.filters import Group, Repeat, TilerOptions, WallpaperOptions
from text2art.options.losses import SmoothnessOptions, SymmetryOptions
from text2art.perceptors import toy
from text2art.runtime import pick, stream
from text2art.settings import Settings
from text2art.testing import (
    ContractBroken,
    check_drawer,
    check_filter,
    check_loss,
    check_perceptor,
)

CPU = pick("cpu")


def build_options(component: registry.Component) -> Any:
    table = component.load_options()
    return table() if table else None


@pytest.mark.parametrize("name", registry.components("drawers"))
def test_drawers(name: str) -> None:
    component = registry.find("drawers", name)
    check_drawer(component.load(), build_options(component))


@pytest.mark.parametrize("name", registry.components("losses"))
def test_losses(name: str, tmp_path: Path) -> None:
    component = registry.find("losses", name)
    perceptor = toy.build("", CPU)
    check_loss(component.load(), loss_options(component, tmp_path), perceptors=[perceptor])


def loss_options(component: registry.Component, folder: Path) -> Any:
    """Return the options of a loss, with the files that some cannot do without."""
    table = component.load_options()
    if component.name == "style":
        levels = (np.random.default_rng(0).random((20, 30, 3)) * 255).astype(np.uint8)
        Image.fromarray(levels).save(folder / "style.png")
        return table(file=str(folder / "style.png"))  # type: ignore[misc]
    if component.name == "aesthetic":
        size = toy.build("", CPU).read(["a"]).shape[-1]
        head = {"weight": torch.linspace(-1, 1, size)[None], "bias": torch.ones(1)}
        save_file(head, folder / "head.safetensors")
        return table(weights=str(folder / "head.safetensors"))  # type: ignore[misc]
    return table() if table else None


@pytest.mark.parametrize("kind", ["anisotropic", "vectorial", "clipped", "log"])
def test_kinds_of_smoothness(kind: Any) -> None:
    component = registry.find("losses", "smoothness")
    check_loss(component.load(), SmoothnessOptions(kind=kind, kernel=3, edge_order=2))


@pytest.mark.parametrize("kind", ["vertical", "both", "rotational"])
def test_kinds_of_symmetry(kind: Any) -> None:
    check_loss(registry.find("losses", "symmetry").load(), SymmetryOptions(kind=kind))


@pytest.mark.parametrize("name", registry.components("filters"))
def test_filters(name: str) -> None:
    component = registry.find("filters", name)
    check_filter(component.load(), build_options(component))


@pytest.mark.parametrize("repeat", get_args(Repeat))
def test_ways_to_lay_tiles(repeat: Any) -> None:
    check_filter(registry.find("filters", "tiler").load(), TilerOptions(repeat=repeat))


@pytest.mark.parametrize("method", ["copy", "mean"])
@pytest.mark.parametrize("group", get_args(Group))
def test_wallpaper_groups(group: Any, method: Any) -> None:
    options = WallpaperOptions(group=group, method=method, cells=(2, 1))
    check_filter(registry.find("filters", "wallpaper").load(), options)


@pytest.mark.parametrize("repeat", [name for name in get_args(Repeat) if name != "mirror"])
def test_the_loss_that_closes_seams(repeat: Any) -> None:
    """Mirrored tiles have no seam, and nothing pulls."""
    check_loss(lambda weight, _: SeamLoss(weight, repeat))


class Behind:
    """A loss made for pictures of one size, which sees those of the contract enlarged to it."""

    name = "behind"

    def __init__(self, loss: Loss, weight: float, seen: Callable[[Tensor], None]) -> None:
        self._loss, self.weight, self._seen = loss, weight, seen

    def __call__(self, view: View) -> Tensor:
        """Ask it about the enlarged picture."""
        image = F.interpolate(view.image, (32, 32), mode="bilinear", align_corners=False)
        self._seen(image)
        cutouts = ViewSampler(ViewOptions(), 4, 1)
        return self._loss(View(image, view.step, view.progress, cutouts))


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_prompts(kind: str, files: Path) -> None:
    settings = Settings.of(**KINDS[kind])
    guide = guidance(settings)
    (loss,) = [*guide.of_prompts(settings.story[0]), *guide.of_other_kinds()]
    check_loss(lambda weight, _: Behind(loss, weight, lambda image: None))


@pytest.mark.parametrize("fade", [None, 0.5])
@pytest.mark.parametrize("name", MEASURES)
def test_losses_that_hold_to_the_start(name: str, fade: float | None) -> None:
    shown, measure = MEASURES[name]
    target = torch.rand(1, 3, 32, 32, generator=stream(1, "target"))

    def build(weight: float, _: None) -> Behind:
        def now(view: View) -> Tensor:
            return view.image[:, :3]

        loss = InitLoss(1.0, now, target, fade, measure=measure, name=shown)
        return Behind(loss, weight, lambda image: None)

    check_loss(build)


def test_the_loss_of_image_labels() -> None:
    held: dict[str, Tensor] = {}
    target = F.normalize(torch.rand(3 * 32 * 32, generator=stream(1, "target")), dim=0)

    def hold(image: Tensor) -> None:
        held["latents"] = image[:, :3]

    def build(weight: float, _: None) -> Behind:
        loss = LatentLoss("image labels", 1.0, lambda: held["latents"], target)
        return Behind(loss, weight, hold)

    check_loss(build)


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_the_prompt_loss(weight: float) -> None:
    perceptor = toy.build("", CPU)
    targets = [Target(perceptor, 1.0, perceptor.read(["a red apple"]))]
    check_loss(lambda given, _: PromptLoss("prompt 1", targets, given * weight))


@pytest.mark.parametrize("name", registry.components("perceptors"))
def test_perceptors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: {**TINY})
    model = "ViT-B-32@random" if name == "open_clip" else ""
    check_perceptor(registry.find("perceptors", name).load()(model, CPU))


# ---- the checks themselves ---------------------------------------------------------------------


class Fine(Drawer):
    """A picture of logits that keeps every promise; the offenders below each break one."""

    scale = 1.0

    def __init__(self, canvas: Canvas, options: None) -> None:
        super().__init__()
        shape = (1, 3, canvas.height, canvas.width)
        self.logits = nn.Parameter(self.start(canvas, shape))

    def start(self, canvas: Canvas, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=canvas.stream("start"))

    def forward(self) -> Tensor:
        return torch.sigmoid(self.logits)

    def groups(self) -> list[ParamGroup]:
        return [ParamGroup(name="logits", params=[self.logits], lr=0.1)]

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        self.logits.copy_(torch.logit(picture.clamp(0.01, 0.99)))


class Transposed(Fine):
    def forward(self) -> Tensor:
        return super().forward().transpose(2, 3)


class Bright(Fine):
    def forward(self) -> Tensor:
        return 1.1 * super().forward()


class Doubled(Fine):
    def forward(self) -> Tensor:
        return super().forward().double()


class GlobalRandom(Fine):
    def start(self, canvas: Canvas, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape)


class Deaf(Fine):
    def start(self, canvas: Canvas, shape: tuple[int, ...]) -> Tensor:
        canvas.stream("start")
        return torch.zeros(shape)


class Detached(Fine):
    def forward(self) -> Tensor:
        return super().forward().detach() + 0 * self.logits


class Contrary(Fine):
    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        super().fit_(1 - picture)


class Forgetful(Fine):
    def __init__(self, canvas: Canvas, options: None) -> None:
        super().__init__(canvas, options)
        self.tint = torch.rand(1, generator=canvas.stream("tint")) / 2

    def forward(self) -> Tensor:
        return super().forward() * (1 - self.tint)


class Broken(Fine):
    def svg(self, style: SvgStyle = PLAIN_SVG) -> str:
        return '<svg xmlns="http://www.w3.org/2000/svg"><g></svg>'


class Headstrong(Fine):
    def svg(self, style: SvgStyle = PLAIN_SVG) -> str:
        return '<svg xmlns="http://www.w3.org/2000/svg"/>'


class Wild(Fine):
    def at_(self, progress: float) -> None:
        self.logits.data = self.logits.data * float("nan")


class Absent(Fine):
    """Its way through a run is not in its state."""

    gain = 1.0

    def at_(self, progress: float) -> None:
        self.gain = 1 - progress

    def forward(self) -> Tensor:
        return super().forward() * self.gain


class TwoGroups(Fine):
    def groups(self) -> list[ParamGroup]:
        return super().groups() * 2


def test_a_fine_drawer_passes() -> None:
    check_drawer(Fine)


@pytest.mark.parametrize(
    ("offender", "message"),
    [
        (Transposed, "picture at 53x37 is 37x53"),
        (Bright, "spans"),
        (Doubled, "float64"),
        (GlobalRandom, "global random state"),
        (Deaf, "another seed"),
        (Detached, "no gradient reaches the group 'logits'"),
        (Contrary, "fit_ at 48x48 leads away"),
        (Forgetful, "with the state of another"),
        (TwoGroups, "share a name"),
        (Broken, "its SVG at 48x48 is no SVG: mismatched tag"),
        (Headstrong, "not as wide as asked for"),
        (Wild, "at 0% of a run has values that are not finite"),
        (Absent, "at the end of a run differs"),
    ],
)
def test_offending_drawers_are_caught(offender: type[Drawer], message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        check_drawer(offender, sizes=[(48, 48), (53, 37)])


class Looker(toy.ToyPerceptor):
    """The toy with a way of seeing and reading that a test exchanges."""

    def __init__(
        self,
        *,
        see: Callable[[Tensor, Tensor], Tensor] | None = None,
        read: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(CPU)
        self._change_see, self._change_read = see, read

    def see(self, crops: Tensor) -> Tensor:
        seen = super().see(crops)
        return self._change_see(seen, crops) if self._change_see else seen

    def read(self, texts: Any) -> Tensor:
        read = super().read(texts)
        return self._change_read(read) if self._change_read else read


@pytest.mark.parametrize(
    ("offender", "message"),
    [
        (Looker(see=lambda seen, _: 2 * seen), "unit length"),
        (Looker(see=lambda seen, _: seen[:1]), "has shape"),
        (Looker(see=lambda seen, _: F.normalize(seen - seen.mean(0) + 1e-3, dim=-1)), "the batch"),
        (
            Looker(see=lambda seen, c: F.normalize(seen * c.std((1, 2, 3))[:, None].log(), dim=-1)),
            "not finite",
        ),
        (Looker(see=lambda seen, _: seen * nn.Parameter(torch.ones(1))), "not frozen"),
        (Looker(see=lambda seen, _: seen + 1e-5 * torch.randn(seen.shape)), "differ|random"),
        (Looker(read=lambda read: read[:, :5]), "unit length|dimensions"),
        (Looker(read=lambda read: read[:1].expand_as(read)), "read as the same"),
    ],
)
def test_offending_perceptors_are_caught(offender: Looker, message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        check_perceptor(offender)


class Plain:
    """A loss made of a function of the picture."""

    name = "plain"

    def __init__(self, value: Callable[[Tensor], Tensor], weight: float) -> None:
        self._value = value
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        return self._value(view.image)


def test_a_fine_loss_passes() -> None:
    check_loss(lambda weight, _: Plain(lambda image: image.square().mean(), weight))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda image: image.mean((2, 3)), "no scalar"),
        (lambda image: image.mean().log(), "inf"),
        (lambda image: image.var().sqrt(), "gradient on a black picture is not finite"),
        (lambda image: image.detach().mean(), "no gradient"),
        (lambda image: image.mean() + torch.rand(()), "differ"),
        (lambda image: image.mean().double(), "float64"),
        (lambda image: image.diff(dim=-1).square().mean(), "one-pixel picture is nan"),
        (lambda image: image.mean() + image.mean().detach(), "not that of its value"),
    ],
)
def test_offending_losses_are_caught(value: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        check_loss(lambda weight, _: Plain(value, weight))


def test_a_loss_that_weighs_itself_is_caught() -> None:
    with pytest.raises(ContractBroken, match="multiplies"):
        check_loss(lambda w, _: Plain(lambda image: w * image.square().mean() + 1, w))
