"""Procedural drawings: plain shapes, and subjects that the font lacks or draws one way only."""

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

_SIDE = 256  # drawn large, scaled down by the caller
Point = tuple[float, float]


def _polar(n: int, radii: tuple[float, ...], start: float = -90.0) -> list[Point]:
    return [
        (
            128 + radii[i % len(radii)] * math.cos(math.radians(start + 360 * i / n)),
            128 + radii[i % len(radii)] * math.sin(math.radians(start + 360 * i / n)),
        )
        for i in range(n)
    ]


def _heart_points() -> list[Point]:
    points = []
    for i in range(120):
        t = 2 * math.pi * i / 120
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((128 + 7.2 * x, 118 - 7.2 * y))
    return points


def _spiral(d: ImageDraw.ImageDraw) -> None:
    points = [
        (128 + (12 + 10.5 * t) * math.cos(t), 128 + (12 + 10.5 * t) * math.sin(t))
        for t in (i * 0.08 for i in range(130))
    ]
    d.line(points, fill="white", width=26, joint="curve")


def _sun(d: ImageDraw.ImageDraw) -> None:
    d.polygon(_polar(24, (122.0, 84.0)), fill="#ffb300")
    d.ellipse((54, 54, 202, 202), fill="#ffe03a")


def _moon(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((24, 16, 248, 240), fill="#ffe27a")
    d.ellipse((92, 0, 276, 184), fill=(0, 0, 0, 0))


def _cloud(d: ImageDraw.ImageDraw) -> None:
    for x, y, r in ((70, 150, 52), (126, 112, 64), (186, 146, 54)):
        d.ellipse((x - r, y - r, x + r, y + r), fill="#f2f5fb")
    d.rectangle((66, 150, 190, 201), fill="#f2f5fb")


def _drop(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(128, 10), (190, 130), (66, 130)], fill="#3c9cf0")
    d.ellipse((58, 96, 198, 240), fill="#3c9cf0")


def _house(d: ImageDraw.ImageDraw) -> None:
    d.rectangle((48, 120, 208, 240), fill="#f0dcb4")
    d.polygon([(128, 16), (238, 126), (18, 126)], fill="#b8342a")
    d.rectangle((108, 164, 148, 240), fill="#7a4a22")
    d.rectangle((62, 146, 94, 182), fill="#6ab4e8")
    d.rectangle((162, 146, 194, 182), fill="#6ab4e8")


def _lighthouse(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(100, 70), (156, 70), (178, 244), (78, 244)], fill="#f6f6f6")
    for top in (96, 152, 208):
        spread = (top - 70) * 22 / 174
        d.polygon(
            [(100 - spread, top), (156 + spread, top), (160 + spread, top + 28),
             (96 - spread, top + 28)],
            fill="#d23030",
        )  # fmt: skip
    d.rectangle((106, 36, 150, 70), fill="#ffe65a")
    d.polygon([(96, 38), (160, 38), (128, 8)], fill="#d23030")


def _windmill(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(104, 100), (152, 100), (176, 246), (80, 246)], fill="#b07a46")
    d.polygon([(96, 104), (160, 104), (128, 66)], fill="#7a3a20")
    for angle in (30, 120, 210, 300):
        a, b = math.radians(angle), math.radians(angle + 14)
        tip = [(128 + 116 * math.cos(t), 100 + 100 * math.sin(t)) for t in (a, b)]
        d.polygon([(128, 100), tip[0], tip[1]], fill="#f4f0e4", outline="#80705a")


def _sailboat(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(20, 184), (236, 184), (196, 236), (56, 236)], fill="#a03a22")
    d.polygon([(134, 10), (134, 172), (226, 172)], fill="#f8f8f8")
    d.polygon([(120, 34), (120, 172), (44, 172)], fill="#e8eef6")
    d.rectangle((124, 8, 131, 186), fill="#6a4424")


def _rocket(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(86, 196), (44, 240), (86, 140)], fill="#d22c2c")
    d.polygon([(170, 196), (212, 240), (170, 140)], fill="#d22c2c")
    d.polygon([(104, 204), (152, 204), (128, 254)], fill="#ffb020")
    d.polygon([(128, 4), (176, 90), (176, 206), (80, 206), (80, 90)], fill="#e8ecf2")
    d.polygon([(128, 4), (164, 68), (92, 68)], fill="#d22c2c")
    d.ellipse((104, 92, 152, 140), fill="#3a8ad8")


def _snowman(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((58, 118, 198, 252), fill="#f4f8ff", outline="#a8b8d0", width=4)
    d.ellipse((80, 40, 176, 136), fill="#f8fbff", outline="#a8b8d0", width=4)
    d.rectangle((84, 40, 172, 52), fill="#202020")
    d.rectangle((100, 4, 156, 44), fill="#202020")
    for x, y in ((112, 78), (144, 78), (128, 158), (128, 186), (128, 214)):
        d.ellipse((x - 6, y - 6, x + 6, y + 6), fill="#202020")
    d.polygon([(128, 88), (128, 102), (172, 100)], fill="#ff8a20")
    d.rectangle((84, 126, 172, 142), fill="#d03030")


def _smiley(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((10, 10, 246, 246), fill="#ffd93a", outline="#c89a10", width=5)
    d.ellipse((74, 78, 102, 118), fill="#3a2a10")
    d.ellipse((154, 78, 182, 118), fill="#3a2a10")
    d.arc((64, 84, 192, 204), 20, 160, fill="#3a2a10", width=14)


_DRAWINGS: dict[str, Callable[[ImageDraw.ImageDraw], None]] = {
    "star": lambda d: d.polygon(_polar(10, (122.0, 50.0)), fill="white"),
    "star6": lambda d: d.polygon(_polar(10, (122.0, 62.0), -80.0), fill="white"),
    "heart": lambda d: d.polygon(_heart_points(), fill="white"),
    "circle": lambda d: d.ellipse((8, 8, 248, 248), fill="white"),
    "square": lambda d: d.rectangle((20, 20, 236, 236), fill="white"),
    "triangle": lambda d: d.polygon([(128, 14), (246, 228), (10, 228)], fill="white"),
    "diamond": lambda d: d.polygon([(128, 6), (214, 128), (128, 250), (42, 128)], fill="white"),
    "cross": lambda d: d.polygon(
        [(92, 10), (164, 10), (164, 92), (246, 92), (246, 164), (164, 164), (164, 246), (92, 246),
         (92, 164), (10, 164), (10, 92), (92, 92)], fill="white"),
    "ring": lambda d: d.ellipse((10, 10, 246, 246), outline="white", width=46),
    "hexagon": lambda d: d.polygon(_polar(6, (122.0,), 0.0), fill="white"),
    "arrow": lambda d: d.polygon(
        [(10, 98), (134, 98), (134, 34), (248, 128), (134, 222), (134, 158), (10, 158)],
        fill="white"),
    "bolt": lambda d: d.polygon(
        [(150, 6), (56, 146), (118, 146), (88, 250), (204, 100), (138, 100), (188, 6)],
        fill="#ffd21e"),
    "spiral": _spiral, "sun": _sun, "moon": _moon, "cloud": _cloud, "drop": _drop, "house": _house,
    "lighthouse": _lighthouse, "windmill": _windmill, "sailboat": _sailboat, "rocket": _rocket,
    "snowman": _snowman, "smiley": _smiley,
}  # fmt: skip


def _other_heart(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((14, 26, 136, 148), fill="white")
    d.ellipse((120, 26, 242, 148), fill="white")
    d.polygon([(27, 122), (128, 70), (229, 122), (128, 240)], fill="white")


def _other_spiral(d: ImageDraw.ImageDraw) -> None:
    points = [
        (128 - (6 + 8.2 * t) * math.cos(t), 128 + (6 + 8.2 * t) * math.sin(t))
        for t in (i * 0.08 for i in range(172))
    ]
    d.line(points, fill="white", width=20, joint="curve")


def _other_lighthouse(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((40, 214, 216, 262), fill="#6a6a70")
    d.polygon([(96, 76), (160, 76), (172, 236), (84, 236)], fill="#ffffff")
    d.polygon([(94, 106), (162, 106), (165, 142), (91, 142)], fill="#c8202c")
    d.polygon([(88, 182), (168, 182), (172, 220), (85, 220)], fill="#c8202c")
    d.rectangle((84, 66, 172, 80), fill="#3a3a44")
    d.rectangle((104, 30, 152, 68), fill="#ffd84a")
    d.pieslice((94, 2, 162, 62), 180, 360, fill="#3a3a44")
    d.rectangle((118, 192, 138, 236), fill="#4a2a1a")


def _other_windmill(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(92, 110), (164, 110), (184, 248), (72, 248)], fill="#d8c8a8")
    d.pieslice((90, 66, 166, 150), 180, 360, fill="#5a3a2a")
    d.rectangle((114, 204, 142, 248), fill="#5a3a2a")
    for angle in (45, 135, 225, 315):
        t, side = math.radians(angle), math.radians(angle + 90)
        arm = (112 * math.cos(t), 112 * math.sin(t))
        wide = (26 * math.cos(side), 26 * math.sin(side))
        root = (128 + 0.25 * arm[0], 108 + 0.25 * arm[1])
        tip = (128 + arm[0], 108 + arm[1])
        d.polygon(
            [root, tip, (tip[0] + wide[0], tip[1] + wide[1]),
             (root[0] + wide[0], root[1] + wide[1])], fill="#f8f4ea", outline="#6a5a44",
        )  # fmt: skip
        d.line([(128, 108), tip], fill="#6a4a2a", width=7)


# Other drawings of what no emoji shows or emoji show otherwise: the judge's.
_OTHERS: dict[str, Callable[[ImageDraw.ImageDraw], None]] = {
    "star": lambda d: d.polygon(_polar(10, (126.0, 58.0)), fill="white"),
    "heart": _other_heart,
    "circle": lambda d: d.ellipse((14, 18, 242, 238), fill="white"),
    "square": lambda d: d.rounded_rectangle((20, 20, 236, 236), 22, fill="white"),
    "triangle": lambda d: d.polygon([(128, 8), (232, 244), (24, 244)], fill="white"),
    "diamond": lambda d: d.polygon([(128, 10), (234, 128), (128, 246), (22, 128)], fill="white"),
    "cross": lambda d: d.polygon(
        [(104, 12), (152, 12), (152, 104), (244, 104), (244, 152), (152, 152), (152, 244),
         (104, 244), (104, 152), (12, 152), (12, 104), (104, 104)], fill="white"),
    "ring": lambda d: d.ellipse((10, 10, 246, 246), outline="white", width=32),
    "hexagon": lambda d: d.polygon(_polar(6, (122.0,), 30.0), fill="white"),
    "arrow": lambda d: d.polygon(
        [(8, 108), (150, 108), (118, 58), (154, 44), (248, 128), (154, 212), (118, 198),
         (150, 148), (8, 148)], fill="white"),
    "spiral": _other_spiral,
    "lighthouse": _other_lighthouse,
    "windmill": _other_windmill,
}  # fmt: skip


def draw_shape(name: str, other: bool = False) -> Image.Image | None:
    """Return one procedural drawing as RGBA with a transparent ground, 256 x 256.

    Args:
        name: of the drawing.
        other: draw it another way; None where there is no other way.
    """
    draw = (_OTHERS if other else _DRAWINGS).get(name)
    if draw is None and other:
        return None
    picture = Image.new("RGBA", (_SIDE, _SIDE), (0, 0, 0, 0))
    (draw or _DRAWINGS[name])(ImageDraw.Draw(picture))
    return picture
