"""The contract of drawers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from text2art.abilities import Annealed, SvgSource, SvgStyle
from text2art.core import Canvas, Drawer
from text2art.errors import InputFileError
from text2art.media.markup import check_drawable
from text2art.runtime import pick, stream
from text2art.testing.promise import noise, require

# Square, both odd, wide 4:1, tall 1:4.
SIZES = ((48, 48), (53, 37), (96, 24), (24, 96))
_STEPS = 12


def check_drawer(
    build: Callable[[Canvas, Any], Drawer],
    options: Any = None,
    *,
    sizes: Iterable[tuple[int, int]] = SIZES,
) -> None:
    """Check that a drawer keeps the promises of `core.Drawer`.

    Args:
        build: the drawer's class, or what builds it.
        options: its options table.
        sizes: canvas sizes (width, height) to try.

    Raises:
        ContractBroken: with the promise it breaks.
    """
    for width, height in sizes:
        at = f"at {width}x{height}"
        make = _Maker(build, options, width, height)
        _check_picture(make("a"), width, height, at)
        _check_seeds(make, at)
        _check_course(make, at)
        _check_groups(make("a"), at)
        _check_descent(make("a"), at)
        _check_fit(make("a"), at)
        _check_projection(make("a"), at)
        _check_state(make, at)
        _check_svg(make("a"), at)
    make.palette = torch.tensor([[0.1, 0.1, 0.2], [0.9, 0.3, 0.2], [0.9, 0.9, 0.8]])
    _check_picture(make("a"), width, height, "with a palette")
    _check_descent(make("a"), "with a palette")
    _check_alpha(make)


class _Maker:
    """Builds a drawer by seed and notes whether it asked for random numbers."""

    def __init__(
        self, build: Callable[[Canvas, Any], Drawer], options: Any, width: int, height: int
    ) -> None:
        self._build, self._options = build, options
        self._size = (width, height)
        self.palette: Tensor | None = None
        self.transparent = False
        self.asked = False

    def __call__(self, seed: str) -> Drawer:
        def numbers(purpose: str) -> torch.Generator:
            self.asked = True
            return stream(seed, purpose)

        width, height = self._size
        canvas = Canvas(
            width,
            height,
            pick("cpu").device,
            numbers,
            self.palette,
            transparent=self.transparent,
        )
        before = torch.random.get_rng_state()
        drawer = self._build(canvas, self._options)
        drawer()
        untouched = torch.equal(torch.random.get_rng_state(), before)
        require(untouched, "it draws from torch's global random state: use canvas.stream")
        return drawer


def _check_picture(drawer: Drawer, width: int, height: int, at: str) -> None:
    picture = drawer()
    require(
        picture.dim() == 4 and picture.shape[0] == 1 and picture.shape[1] in (3, 4),
        f"the picture {at} has shape {tuple(picture.shape)}, not (1, 3 or 4, H, W)",
    )
    require(
        picture.shape[-2:] == (height, width),
        f"the picture {at} is {picture.shape[-1]}x{picture.shape[-2]}",
    )
    require(picture.dtype == torch.float32, f"the picture {at} is {picture.dtype}, not float32")
    _in_range(picture, at)
    require(torch.equal(drawer(), picture), f"two looks at one picture {at} differ")


def _check_alpha(make: _Maker) -> None:
    """Check that a drawer that says so draws on nothing, and takes the alpha of a picture."""
    if not make("a").has_alpha:
        return
    make.transparent, at = True, "on a transparent canvas"
    for palette in (None, make.palette):
        make.palette = palette
        drawer = make("a")
        height, width = drawer().shape[-2:]
        _check_picture(drawer, width, height, at)
        require(drawer().shape[1] == 4, f"the picture {at} has no alpha")
        target = torch.zeros_like(drawer())
        target[:, 0], target[..., : target.shape[-1] // 2] = 0.8, 0.0
        target[:, 3, :, target.shape[-1] // 2 :] = 1.0
        before = float((drawer.shown()[:, 3] - target[:, 3]).abs().mean())
        drawer.fit_(target)
        after = float((drawer.shown()[:, 3] - target[:, 3]).abs().mean())
        require(after < before, f"fit_ {at} leads away from the alpha: {before:g} to {after:g}")
        _in_range(drawer(), f"{at} after fit_")
        _check_groups(make("a"), at)
        _check_state(make, at)


def _in_range(picture: Tensor, at: str) -> None:
    require(picture.isfinite().all(), f"the picture {at} has values that are not finite")
    low, high = float(picture.detach().min()), float(picture.detach().max())
    require(low >= 0 and high <= 1, f"the picture {at} spans [{low:g}, {high:g}], not [0, 1]")


def _check_seeds(make: _Maker, at: str) -> None:
    one, same, other = make("a"), make("a"), make("b")
    require(_equal(one, same), f"the same seed {at} gives another start")
    if make.asked:
        require(not _equal(one, other), f"another seed {at} gives the same start")


def _equal(one: Drawer, other: Drawer) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def _check_groups(drawer: Drawer, at: str) -> None:
    groups = drawer.groups()
    require(groups, "it has no parameter groups")
    names = [group["name"] for group in groups]
    require(len(set(names)) == len(names), f"parameter groups share a name: {names}")
    listed = [id(p) for group in groups for p in group["params"]]
    require(len(set(listed)) == len(listed), "a parameter is in two groups")
    own = {id(p) for p in drawer.parameters()}
    require(set(listed) <= own, "a group holds what is no parameter of the drawer")
    picture = drawer()
    (picture * noise(*picture.shape)).sum().backward()
    changing: Any = drawer if isinstance(drawer, Annealed) else None
    for progress in (0.5, 1.0) if changing else ():  # it may leave a group for later in the run
        changing.at_(progress)
        (drawer() * noise(*picture.shape)).sum().backward()
    for group in groups:
        require(group["lr"] > 0, f"the learning rate of {group['name']!r} is {group['lr']}")
        gradients = [p.grad for p in group["params"] if p.grad is not None]
        reached = any(bool(gradient.abs().sum() > 0) for gradient in gradients)
        require(reached, f"no gradient reaches the group {group['name']!r} {at}")
        finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
        require(finite, f"the gradient of {group['name']!r} {at} is not finite")


def _target(drawer: Drawer) -> Tensor:
    """A picture unlike any start: orange above, dark blue below, brighter to the right."""
    height, width = drawer().shape[-2:]
    top = (torch.linspace(0, 1, height) < 0.5).float().view(1, 1, height, 1)
    above, below = torch.tensor([0.8, 0.4, 0.1]), torch.tensor([0.1, 0.1, 0.4])
    picture = top * above.view(1, 3, 1, 1) + (1 - top) * below.view(1, 3, 1, 1)
    return picture * torch.linspace(0.7, 1, width)


def _distance(drawer: Drawer, target: Tensor) -> Tensor:
    picture: Tensor = drawer()
    return (picture[:, :3] - target).square().mean()


def _check_descent(drawer: Drawer, at: str) -> None:
    target = _target(drawer)
    before = float(_distance(drawer, target).detach())
    optimizer = torch.optim.Adam(drawer.groups())  # type: ignore[arg-type]
    for _ in range(_STEPS):
        optimizer.zero_grad()
        _distance(drawer, target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            drawer.project_()
    _in_range(drawer(), f"{at} after {_STEPS} steps")
    after = float(_distance(drawer, target).detach())
    require(after < before, f"following the gradient {at} leads away: {before:g} to {after:g}")


def _check_fit(drawer: Drawer, at: str) -> None:
    target = _target(drawer)
    before = float(_distance(drawer, target).detach())
    drawer.fit_(target)
    after = float(_distance(drawer, target).detach())
    require(after < before, f"fit_ {at} leads away from the picture: {before:g} to {after:g}")
    _in_range(drawer(), f"{at} after fit_")
    wanting = [p for p in drawer.parameters() if p.grad is not None]
    require(not wanting, f"fit_ {at} leaves gradients behind")
    extremes = (noise(*target.shape) > 0.5).float()
    drawer.fit_(extremes)
    _in_range(drawer(), f"{at} after fit_ to pure black and white")
    drawer().sum().backward()
    finite = all(p.grad is None or bool(p.grad.isfinite().all()) for p in drawer.parameters())
    require(finite, f"the gradient {at} after fit_ to pure black and white is not finite")


def _check_projection(drawer: Drawer, at: str) -> None:
    with torch.no_grad():
        for parameter in drawer.parameters():
            parameter.add_((noise(*parameter.shape) - 0.5).to(parameter.dtype) * 4)
        drawer.project_()
        _in_range(drawer(), f"{at} after a wild update and project_")
        once = drawer()
        drawer.project_()
    require(torch.allclose(drawer(), once, atol=1e-5), f"project_ {at} twice is not as once")


def _check_state(make: _Maker, at: str) -> None:
    worn, fresh = make("a"), make("b")
    worn.fit_(_target(worn))
    fresh.load_state_dict(worn.state_dict())
    same = torch.equal(worn(), fresh())
    require(same, f"a drawer {at} with the state of another shows another picture")


def _check_course(make: _Maker, at: str) -> None:
    """Check that a drawer that changes as the run goes on is valid, and all of it in the state."""
    worn, fresh = make("a"), make("b")
    if not isinstance(worn, Annealed):
        return
    for progress in (0.0, 0.5, 1.0):
        worn.at_(progress)
        _in_range(worn(), f"{at} at {progress:.0%} of a run")
    fresh.load_state_dict(worn.state_dict())
    same = torch.equal(worn(), fresh())
    require(same, f"a drawer {at} with the state of another at the end of a run differs from it")


def _check_svg(drawer: Drawer, at: str) -> None:
    if not isinstance(drawer, SvgSource):
        return
    style = SvgStyle(record={"settings": {"prompts": ["<&>"]}}, millimeters=100, layers=True)
    for document in (drawer.svg(), drawer.svg(style)):
        try:
            check_drawable(document.encode(), f"its SVG {at}")
        except InputFileError as error:
            require(False, str(error))
    require("100mm" in document, f"its SVG {at} is not as wide as asked for")
