"""Draw prompts with the perceptor: the picture test, since figures say little about guidance.

A small stand-in for the package's loop: a pyramid of grids through a sigmoid, Adam, random views
and the spherical loss. All prompts are drawn at once.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor, nn

from text2art.nets.starter import StarterCLIP
from training.evaluate import read
from training.fakes import Fakes, windows

PROMPTS = (
    "a red apple on a blue background", "two yellow stars on a purple background",
    "a sailboat on the sea", "a palm tree at sunset", "a sunflower", "a castle at night",
    "a green cactus #pixelart", "a pink heart", "a snowman in the snow",
    "an orange cat on a green background", "a rocket in space", "a red mushroom in the forest",
    "a smiley", "a blue fish in the sea", "a house in a green field", "a penguin in the snow",
    "a butterfly", "a purple octopus", "a skull, neon", "a pizza", "a ghost at night",
    "a green frog", "a red car in the city", "three red balloons in the sky",
)  # fmt: skip


class Pyramid(nn.Module):
    """N pictures, each a sum of grids of 4, 8, ... `side` cells through a sigmoid."""

    def __init__(self, n: int, side: int, gen: torch.Generator, device: torch.device) -> None:
        super().__init__()
        self.side = side
        sides = [4 * 2**k for k in range(side.bit_length() - 2)]
        self.grids = nn.ParameterList(
            [nn.Parameter(0.1 * torch.randn(n, 3, s, s, generator=gen).to(device)) for s in sides]
        )

    def forward(self) -> Tensor:
        """Return the pictures, (N, 3, side, side) in (0, 1)."""
        grown = [
            F.interpolate(g, size=(self.side,) * 2, mode="bilinear", align_corners=False)
            for g in self.grids
        ]
        return torch.sigmoid(torch.stack(grown).sum(0))


def views(
    pictures: Tensor, count: int, size: int, gen: torch.Generator, *, least: float = 0.6
) -> Tensor:
    """Return random square looks at each picture, (N * count, 3, size, size)."""
    n = len(pictures) * count
    u = torch.rand(n, 4, generator=gen).to(pictures.device)
    theta = windows(u, least=least, turn=0.125)
    repeated = pictures.repeat_interleave(count, 0)
    grid = F.affine_grid(theta, [n, 3, size, size], align_corners=False)
    looks = F.grid_sample(repeated, grid, padding_mode="border", align_corners=False)
    noise = torch.randn(looks.shape, generator=gen).to(pictures.device)
    noisy: Tensor = looks + 0.03 * noise
    return noisy


def draw(
    model: StarterCLIP, prompts: Sequence[str], *, steps: int = 140, side: int = 64,
    count: int = 6, starts: int = 2, seed: int = 0, rate: float = 0.08, decay: float = 0.5,
    smooth: float = 0.5, zoom: tuple[float, float] = (0.6, 0.6),
) -> Tensor:  # fmt: skip
    """Return one picture per prompt, (P, 3, side, side): the best scored of several starts.

    Finer grids learn slower by `decay`. `zoom` is the smallest view, at first and at last; by eye
    0.6 throughout was best of three for most prompts, larger first views for single hearts.
    """
    device = next(model.parameters()).device
    gen = torch.Generator().manual_seed(seed)
    target = read(model, prompts).repeat_interleave(starts, 0)
    pyramid = Pyramid(len(target), side, gen, device)
    rates = [rate * 2.0 ** (-decay * level) for level in range(len(pyramid.grids))]
    optimizer = torch.optim.Adam([{"params": [g]} for g in pyramid.grids], betas=(0.9, 0.95))
    score = torch.zeros(len(target), device=device)
    for step in range(steps):
        t = step / steps
        for group, full in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = full * min(1.0, 2.0 * (1 - t) + 0.1)
        pictures = pyramid()
        least = zoom[0] + (zoom[1] - zoom[0]) * t
        looks = views(pictures, count, model.image_size, gen, least=least)
        seen = F.normalize(model.encode_image((looks - 0.5) * 4.0), dim=-1)
        chord = (seen - target.repeat_interleave(count, 0)).norm(dim=-1)
        loss = (2 * (chord / 2).arcsin() ** 2).sum() / count
        across = (pictures[..., 1:] - pictures[..., :-1]).square().mean((1, 2, 3))
        down = (pictures[..., 1:, :] - pictures[..., :-1, :]).square().mean((1, 2, 3))
        optimizer.zero_grad(set_to_none=True)
        (loss + smooth * (across + down).sum()).backward()
        optimizer.step()
        now = (1 - chord.detach() ** 2 / 2).view(-1, count).mean(1)
        score = 0.9 * score + 0.1 * now
    best = score.view(-1, starts).argmax(1).cpu() + torch.arange(len(prompts)) * starts
    pictures = pyramid().detach()
    chosen: Tensor = pictures[best.to(device)]
    return chosen


def sheet(pictures: Tensor, prompts: Sequence[str], columns: int = 8) -> Image.Image:
    """Return a contact sheet with captions."""
    cell, band = 160, 30
    rows = -(-len(prompts) // columns)
    page = Image.new("RGB", (columns * (cell + 6), rows * (cell + band + 6)), "white")
    pen = ImageDraw.Draw(page)
    for i, (picture, prompt) in enumerate(zip(pictures, prompts, strict=True)):
        x, y = i % columns * (cell + 6), i // columns * (cell + band + 6)
        array = (picture.clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy()
        tile = Image.fromarray(array).resize((cell, cell), Image.Resampling.NEAREST)
        page.paste(tile, (x, y + band))
        words, half = prompt, len(prompt) // 2
        if len(prompt) > 24:
            cut = prompt.find(" ", half)
            words = prompt[:cut] + "\n" + prompt[cut + 1 :]
        pen.multiline_text((x + 2, y + 2), words, fill="black")
    return page


def save_sheet(
    model: StarterCLIP, path: Path, fakes: Fakes | None = None, prompts: Sequence[str] = PROMPTS
) -> None:
    """Draw the prompts and write their contact sheet, and beside it one of guided pictures."""
    sheet(draw(model, prompts), prompts).save(path)
    if fakes is not None:
        with torch.no_grad():
            pictures = fakes.pictures(64)
        sheet(pictures, [""] * len(pictures), 16).save(path.with_stem(f"{path.stem}-fakes"))
