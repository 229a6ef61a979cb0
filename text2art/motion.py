"""Motion: a picture, enlarged, turned and shifted a little, is where the next one starts."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.abilities import Movable
from text2art.color import mixed
from text2art.core import Drawer
from text2art.moments import course_at, parse_course
from text2art.options.moving import COURSES
from text2art.settings import Settings


class Motion:
    """How the pictures of a zoom video follow each other."""

    def __init__(self, settings: Settings, pictures: int) -> None:
        """Read the courses.

        Args:
            settings: of the run.
            pictures: of the film.
        """
        self._pictures = pictures
        self._courses = {
            name: parse_course(getattr(settings, name), name, *limits)
            for name, limits in COURSES.items()
        }

    def matrix(self, picture: int, width: int, height: int) -> Tensor:
        """Return how the pixels of the picture before move to make this one.

        Args:
            picture: number of the picture, 1 or more.
            width: of the pictures.
            height: of the pictures.

        Returns:
            `(2, 3)`, from points to points, in pixels from the upper left corner.
        """
        zoom, degrees, right, down = (
            course_at(self._courses[name], picture, self._pictures) for name in COURSES
        )
        angle = math.radians(degrees)
        turn = zoom * torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        center = torch.tensor([width / 2, height / 2])
        shift = torch.tensor([width * right / 100, height * down / 100])
        return torch.cat([turn, (center + shift - turn @ center)[:, None]], dim=1)

    @torch.no_grad()
    def move_(self, drawer: Drawer, picture: int) -> None:
        """Let a drawer show its picture moved, as the start of the one with this number."""
        image = drawer.shown()
        matrix = self.matrix(picture, image.shape[-1], image.shape[-2])
        if isinstance(drawer, Movable):
            drawer.move_(matrix)
        else:
            drawer.fit_(moved(image, matrix))


def moved(image: Tensor, matrix: Tensor) -> Tensor:
    """Return a picture `(1, 3 or 4, H, W)` whose points were moved.

    What comes in from outside is the picture's mirror image, or nothing where there is alpha.

    Args:
        image: the picture.
        matrix: `(2, 3)` as of `Motion.matrix`.
    """
    height, width = image.shape[-2:]
    back = torch.linalg.inv(torch.cat([matrix, torch.tensor([[0.0, 0.0, 1.0]])]).double())
    # From pixels to the coordinates of grid_sample, -1 to 1 from edge to edge.
    scale = torch.diag(torch.tensor([width / 2, height / 2, 1.0], dtype=torch.float64))
    scale[0, 2], scale[1, 2] = width / 2, height / 2
    theta = (torch.linalg.inv(scale) @ back @ scale)[:2].to(image)
    padding = "reflection" if image.shape[1] == 3 else "zeros"

    def sample(colors: Tensor) -> Tensor:
        grid = F.affine_grid(theta[None], list(colors.shape), align_corners=False)
        return F.grid_sample(
            colors, grid, mode="bicubic", padding_mode=padding, align_corners=False
        ).clamp(0, 1)

    return mixed(sample, image)
