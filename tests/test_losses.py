"""Losses against independent formulas and published properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from text2art.core import View
from text2art.cutouts.recipes import ViewSampler
from text2art.looks import Cutouts
from text2art.losses.framing import FramingLoss
from text2art.losses.prompt import PromptLoss, Target, squared_angle
from text2art.losses.saturation import SaturationLoss
from text2art.losses.smoothness import SmoothnessLoss
from text2art.losses.symmetry import SymmetryLoss
from text2art.options.cutouts import ViewOptions
from text2art.options.losses import SmoothnessOptions
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import pick, stream


def view_of(image: Tensor, cuts: int = 4, progress: float = 0.0) -> View:
    cutouts: Cutouts = ViewSampler(ViewOptions(), cuts, seed=0)
    return View(image, 0, progress, cutouts)


def noise(*shape: int, seed: str = "losses") -> Tensor:
    return torch.rand(*shape, generator=stream(seed, "noise"))


@pytest.fixture
def toy() -> ToyPerceptor:
    return ToyPerceptor(pick("cpu"))


# ---- the angle ---------------------------------------------------------------------------------


def test_squared_angle_equals_arccos() -> None:
    x = torch.nn.functional.normalize(noise(64, 8).double() - 0.5, dim=-1)
    y = torch.nn.functional.normalize(noise(64, 8, seed="y").double() - 0.5, dim=-1)
    angle = torch.acos((x * y).sum(-1))
    torch.testing.assert_close(squared_angle(x, y), angle.square() / 2)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_its_gradient_is_finite_at_both_ends(sign: float) -> None:
    x = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    value = squared_angle(x, sign * x.detach())
    torch.autograd.backward(value.sum())
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    expected = 0.0 if sign > 0 else math.pi**2 / 2
    assert value.item() == pytest.approx(expected, abs=5e-3)


def test_its_gradient_is_right_between_the_ends() -> None:
    x = torch.nn.functional.normalize(noise(5, 6).double() - 0.5, dim=-1).requires_grad_()
    y = torch.nn.functional.normalize(noise(5, 6, seed="y").double() - 0.5, dim=-1)
    assert torch.autograd.gradcheck(lambda a: squared_angle(a, y), (x,))


# ---- prompts -----------------------------------------------------------------------------------


def guided(toy: ToyPerceptor, weight: float, stop: float = -math.inf) -> tuple[float, Tensor, View]:
    image = noise(1, 3, 32, 32).requires_grad_()
    view = view_of(image)
    loss = PromptLoss("p", [Target(toy, 1.0, toy.read(["apple"]))], weight, stop)
    value = loss.weight * loss(view)
    torch.autograd.backward(value)
    assert image.grad is not None
    return value.item(), image.grad, view


def test_a_negative_weight_pushes_the_other_way(toy: ToyPerceptor) -> None:
    near, pull, _ = guided(toy, 1.0)
    far, push, _ = guided(toy, -2.0)
    assert far == pytest.approx(-2 * near, rel=1e-5)
    torch.testing.assert_close(push, -2 * pull)


def test_below_its_stop_a_prompt_no_longer_pulls_but_is_reported(toy: ToyPerceptor) -> None:
    value, pull, _ = guided(toy, 1.0)
    stopped, none, _ = guided(toy, 1.0, stop=value + 10)
    still, same, _ = guided(toy, 1.0, stop=-10)
    assert stopped == pytest.approx(value)
    assert none.abs().max() == 0
    torch.testing.assert_close(same, pull)
    assert still == pytest.approx(value)


def test_the_score_is_the_mean_cosine(toy: ToyPerceptor) -> None:
    _, _, view = guided(toy, 1.0)
    expected = (view.seen(toy) @ toy.read(["apple"]).T).mean()
    torch.testing.assert_close(view.scores["p"], expected.detach())
    _, _, pushed = guided(toy, -1.0)
    assert pushed.scores == {}


def test_perceptors_count_by_their_weights(toy: ToyPerceptor) -> None:
    other = ToyPerceptor(pick("cpu"), size=8, dimensions=12)
    image = noise(1, 3, 32, 32)

    def value(*weights: float) -> float:
        targets = [
            Target(p, w, p.read(["apple"])) for p, w in zip((toy, other), weights, strict=True) if w
        ]
        return PromptLoss("p", targets)(view_of(image)).item()

    mixed = 0.75 * value(1, 0) + 0.25 * value(0, 1)
    assert value(3, 1) == pytest.approx(mixed, rel=1e-5)


def test_crops_are_cut_once_and_shared(toy: ToyPerceptor) -> None:
    view = view_of(noise(1, 3, 32, 32))
    assert view.crops(16) is view.crops(16)
    assert view.seen(toy) is view.seen(toy)


# ---- pictures ----------------------------------------------------------------------------------


def test_smoothness_is_zero_on_flat_and_right_on_a_step() -> None:
    assert SmoothnessLoss()(view_of(torch.full((1, 3, 64, 64), 0.3))).item() == 0
    step = torch.zeros(1, 3, 64, 64)
    step[..., 32:] = 1  # one column of 64 has a gradient, whose length is 1; 64 of 64*63 across
    length = math.hypot(1, 0.003) - 0.003
    assert SmoothnessLoss()(view_of(step)).item() == pytest.approx(4 / math.pi * length / 64)
    anisotropic = SmoothnessLoss(1.0, SmoothnessOptions(kind="anisotropic"))
    assert anisotropic(view_of(step)).item() == pytest.approx(1 / 63)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("isotropic", "bicubic"), ("anisotropic", "bicubic"), ("anisotropic", "nearest")],
)
def test_smoothness_hardly_depends_on_size(kind: Any, mode: str) -> None:
    """Corners of blocks are one pixel at any size: isotropic counts them by their share of all."""
    small = noise(1, 3, 16, 16)
    larger = [torch.nn.functional.interpolate(small, scale_factor=k, mode=mode) for k in (4, 8)]
    loss = SmoothnessLoss(1.0, SmoothnessOptions(kind=kind))
    values = [loss(view_of(picture)).item() for picture in larger]
    assert values[0] == pytest.approx(values[1], rel=0.02)


def disc(height: int, width: int, y: float, x: float) -> Tensor:
    """A white disc on black; its center in shares of the picture, its radius a quarter."""
    down, across = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    far = ((down - y * height) ** 2 + (across - x * width) ** 2).sqrt()
    return (far < min(height, width) / 4).float().expand(1, 3, height, width).clone()


def framing(image: Tensor, progress: float = 0.0) -> float:
    return float(FramingLoss()(view_of(image, progress=progress)))


def test_framing_tells_what_the_edge_cuts_off() -> None:
    assert framing(disc(64, 64, 0.5, 0.5)) == 0.0
    cut = framing(disc(64, 64, 0.5, 0.0))
    assert cut == pytest.approx(2.0, abs=0.05)  # from black to white and back, once
    assert framing(disc(64, 64, 0.0, 0.0)) == pytest.approx(2.0, abs=0.05)  # once on two sides
    image = disc(64, 64, 0.5, 0.0)
    by_hand = np.asarray(image[0, 0]).reshape(32, 2, 32, 2).mean((1, 3))
    pairs = (by_hand[0] - by_hand[-1], by_hand[:, 0] - by_hand[:, -1])
    steps = np.abs(np.concatenate([np.diff(pair) for pair in pairs]))
    gentle = steps < 0.03  # Huber's function
    by_hand = np.where(gentle, steps**2 / 0.06, steps - 0.015)
    assert cut == pytest.approx(float(by_hand.sum()))


def test_framing_lets_grounds_and_horizons_pass() -> None:
    """Else a ground of two colors is framed by one: descent evens out the edge alone."""
    ground = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    step = (ground > 0.5).float()
    for passed in (ground, step, step.transpose(2, 3)):
        assert framing(passed) == 0.0
    slanted = torch.where(torch.arange(64)[:, None] < 20, step, step.roll(24, -1))
    assert framing(slanted) > 1.5  # it passes the two sides at different places


def test_framing_counts_gentle_changes_by_their_squares() -> None:
    across, down = torch.linspace(0, 1, 64), torch.linspace(1, 0, 64)[:, None]
    ground = (across * down).expand(1, 3, 64, 64)  # two sides change, the opposite ones do not
    step = ((across > 0.5) & (down > 0.5)).float().expand(1, 3, 64, 64)
    assert framing(ground) > framing(0.5 * ground) == pytest.approx(framing(0.25 * ground) * 4)
    assert framing(0.25 * ground) < 0.2 * framing(0.25 * step)


def test_framing_hardly_depends_on_size_and_fades() -> None:
    values = [framing(disc(h, w, 0.5, 1.0)) for h, w in ((64, 64), (300, 300), (90, 160))]
    assert values == pytest.approx([2.0] * 3, abs=0.1)
    image = disc(64, 64, 0.5, 1.0)
    assert framing(image, 0.375) == pytest.approx(framing(image) / 4)
    assert framing(image, 0.5) == framing(image, 1.0) == 0.0


def test_framing_wears_down_what_the_edge_cuts_and_leaves_the_inside_alone() -> None:
    image = (disc(64, 64, 0.5, 0.0) * 0.8 + 0.1).requires_grad_()
    torch.autograd.backward(FramingLoss()(view_of(image)))
    assert image.grad is not None
    edge, white = image.grad[0, :, :, 0], image[0, :, :, 0] > 0.5
    assert float(edge[white].sum()) > 0  # descent darkens the disc
    assert float(edge[~white].sum()) < 0  # and brightens the ground beside it
    assert not bool(image.grad[..., 4:-4, 4:-4].any())


def test_saturation_follows_hasler_and_suesstrunk() -> None:
    image = noise(1, 3, 20, 20).double()
    r, g, b = image[0]
    rg, yb = (r - g).flatten(), ((r + g) / 2 - b).flatten()
    spread = math.hypot(rg.std().item(), yb.std().item())
    mean = math.hypot(rg.mean().item(), yb.mean().item())
    expected = -(spread + 0.3 * mean) / 10
    assert SaturationLoss()(view_of(image)).item() == pytest.approx(expected, rel=1e-3)


def test_symmetry_is_zero_on_mirrored_pictures_alone() -> None:
    half = noise(1, 3, 8, 8)
    mirrored = torch.cat([half, half.flip(-1)], dim=-1)
    assert SymmetryLoss()(view_of(mirrored)).item() == 0
    assert SymmetryLoss()(view_of(half)).item() > 0.01
