"""Color: Oklab against its author's table, decorrelation, and snapping to a palette."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from text2art.color import Snap, decorrelation, mix, oklab
from text2art.palettes import parse_palette


def palette(name: str) -> torch.Tensor:
    return torch.tensor(parse_palette(name)) / 255


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # values that Oklab implementations agree on
        ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.62796, 0.22486, 0.12585)),
        ((0.0, 1.0, 0.0), (0.86644, -0.23389, 0.17950)),
        ((0.0, 0.0, 1.0), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_known_colors(
    rgb: tuple[float, float, float], lab: tuple[float, float, float]
) -> None:
    assert torch.allclose(oklab(torch.tensor(rgb)), torch.tensor(lab), atol=2e-4)


def test_grays_have_no_chroma_and_rising_lightness() -> None:
    gray = torch.linspace(0, 1, 33)[:, None].expand(33, 3)
    lab = oklab(gray)
    assert lab[1:, 1:].abs().max() < 1e-3
    assert bool((lab[1:, 0] > lab[:-1, 0]).all())


def test_oklab_has_finite_gradients_everywhere() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3).requires_grad_()
    (gradient,) = torch.autograd.grad(oklab(corners).sum(), corners)
    assert bool(gradient.isfinite().all())
    inside = (0.1 + 0.8 * torch.rand(6, 3, generator=torch.Generator().manual_seed(1))).double()
    assert torch.autograd.gradcheck(oklab, inside.requires_grad_())


def test_decorrelation_is_invertible_and_colors_are_what_is_left_of_lightness() -> None:
    plain, vivid = decorrelation(), decorrelation(2.0)
    assert torch.allclose(plain.norm(dim=0).max(), torch.tensor(1.0))
    assert torch.allclose(vivid[:, 0], plain[:, 0] / 2)
    assert torch.equal(vivid[:, 1:], plain[:, 1:])
    image = torch.rand(1, 3, 4, 5)
    assert torch.allclose(mix(torch.linalg.inv(vivid), mix(vivid, image)), image, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["PICO-8", "DB32", "1-bit", "Game Boy"]), st.integers(0, 10**6))
def test_snapping_takes_the_nearest_color_exactly(name: str, seed: int) -> None:
    colors = palette(name)
    image = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(seed))
    snapped = Snap(colors)(image)
    flat, back = oklab(image[0].flatten(1).T), snapped[0].flatten(1).T
    nearest = torch.cdist(flat.double(), oklab(colors).double()).argmin(dim=1)
    assert torch.equal(back, colors[nearest])  # to the bit


def test_palette_colors_are_kept() -> None:
    colors = palette("DB32")
    image = colors.T.reshape(1, 3, 4, 8)
    snap = Snap(colors)
    assert torch.equal(snap(image), image)
    assert torch.equal(snap.nearest(image).flatten(), torch.arange(32))
    assert snap.levels() == bytes(v for color in parse_palette("DB32") for v in color)


def test_gradient_passes_and_reaches_another_color() -> None:
    """Descent on the snapped color crosses from one palette color to another."""
    snap = Snap(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    color = torch.full((1, 3, 1, 1), 0.1, requires_grad=True)
    wanted = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    optimizer = torch.optim.Adam([color], lr=0.02)
    for _ in range(100):
        (color.grad,) = torch.autograd.grad((snap(color) - wanted).square().sum(), color)
        assert bool(color.grad.isfinite().all())
        optimizer.step()
        with torch.no_grad():
            color.clamp_(0, 1)
    assert torch.equal(snap(color), wanted)


def test_palette_is_not_part_of_the_state() -> None:
    assert Snap(palette("PICO-8")).state_dict() == {}
