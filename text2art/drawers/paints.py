"""What cells are painted with: any color, a palette's, one chosen by chance, or a learned palette.

All kinds are made of layers from coarse to fine (`Layers`), and keep alpha, where there is one, in
a last channel.
"""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.color import Snap, oklab, opacity, opacity_logits, snapped
from text2art.core import Canvas, ParamGroup
from text2art.drawers.layers import GAIN, Layers, squash, unsquash
from text2art.drawers.tones import Ramps, Tones, starting_colors
from text2art.errors import SettingsError
from text2art.options.drawers import PixelOptions
from text2art.runtime import move

_MOST_NUMBERS = 16_000_000  # cells times colors of a hard palette
_SURE = 8.0  # logits by which `fit_` prefers the right color


class Paint(nn.Module, abc.ABC):
    """The colors of a grid of cells."""

    layers: Layers

    @abc.abstractmethod
    def forward(self) -> Tensor:
        """Return the colors, `(1, 3 or 4, rows, columns)` in [0, 1]."""

    @abc.abstractmethod
    def fit_(self, cells: Tensor) -> None:
        """Resemble colors `(1, 3 or 4, rows, columns)`."""

    def groups(self, options: PixelOptions) -> list[ParamGroup]:
        """Return the optimizer groups."""
        return self.layers.groups(options.learning_rate, options.decay)

    def at_(self, progress: float) -> None:
        """Learn what share of the run is over."""

    def indexed(self) -> tuple[Tensor, Tensor] | None:
        """Return each cell's `(rows, columns)` index into a palette `(K, 3)`, if there is one."""
        return None


class FreePaint(Paint):
    """Any color; with a palette the nearest of its colors (`color.Snap`)."""

    def __init__(self, layers: Layers, palette: Tensor | None) -> None:
        super().__init__()
        self.layers = layers
        self.snap = None if palette is None else Snap(palette)

    def forward(self) -> Tensor:
        """See `Paint.forward`."""
        colors = squash(self.layers.total())
        return colors if self.snap is None else snapped(self.snap, colors)

    @torch.no_grad()
    def fit_(self, cells: Tensor) -> None:
        """See `Paint.fit_`."""
        self.layers.fit_(unsquash(cells))

    @torch.no_grad()
    def indexed(self) -> tuple[Tensor, Tensor] | None:
        """See `Paint.indexed`."""
        if self.snap is None:
            return None
        return self.snap.nearest(squash(self.layers.total())[:, :3]), self.snap.palette


class HardPaint(Paint):
    """One color of a palette for each cell, by a Gumbel-softmax over all of them.

    Straight-through Gumbel-softmax (Jang et al., arXiv:1611.01144, section 2.2): forward each cell
    has the color of its largest logit plus noise, exactly; backward the gradient is that of the
    softmax at a temperature that falls over the run. Departures: logits are sums of layers from
    coarse to fine, and the noise, drawn once a step, fades until `_QUIET` of the run, so that what
    is shown comes to rest. The result has none.
    """

    _QUIET = 0.6
    _COLDEST = 0.1  # temperature at the end, as a share of that at the start

    def __init__(
        self, layers: Layers, palette: Tensor, canvas: Canvas, options: PixelOptions
    ) -> None:
        super().__init__()
        self.layers = layers
        self._draw = canvas.stream
        self._hottest = options.temperature
        self._count = len(palette)
        self._palette: Tensor
        self._noise: Tensor
        self._temperature: Tensor
        self.register_buffer("_palette", palette, persistent=False)
        shape = (1, self._count, *layers.grids[-1].shape[-2:])
        self.register_buffer("_noise", torch.zeros(shape))
        self.register_buffer("_temperature", torch.tensor(self._hottest))

    def at_(self, progress: float) -> None:
        """See `Paint.at_`: cool down, and draw new noise."""
        self._temperature.fill_(self._hottest * self._COLDEST ** min(progress, 1.0))
        loud = max(0.0, 1 - progress / self._QUIET)
        if not loud:
            self._noise.zero_()
            return
        stream = self._draw(f"pixel/gumbel/{progress:.9f}")
        uniform = torch.rand(self._noise.shape, generator=stream).clamp(1e-6, 1 - 1e-6)
        self._noise.copy_(move(-torch.log(-torch.log(uniform)) * loud, self._noise))

    def forward(self) -> Tensor:
        """See `Paint.forward`."""
        total = GAIN * self.layers.total()
        logits = total[:, : self._count]
        if self.training:
            logits = logits + self._noise
        index = logits.argmax(dim=1)
        colors = self._palette[index].permute(0, 3, 1, 2)
        soft = F.softmax(logits / self._temperature, dim=1)
        mean = torch.einsum("nkhw,kc->nchw", soft, self._palette)
        colors = colors + (mean - mean.detach())
        if total.shape[1] == self._count:
            return colors
        return torch.cat([colors, opacity(total[:, self._count :])], dim=1)

    @torch.no_grad()
    def fit_(self, cells: Tensor) -> None:
        """See `Paint.fit_`: the nearer a color, the larger its logit."""
        apart = torch.cdist(oklab(cells[:, :3].permute(0, 2, 3, 1)), oklab(self._palette)[None])
        spread = torch.cdist(oklab(self._palette), oklab(self._palette)).max().clamp(min=1e-3)
        logits = (-_SURE * apart / spread).permute(0, 3, 1, 2)
        if cells.shape[1] == 4:
            logits = torch.cat([logits, opacity_logits(cells[:, 3:])], dim=1)
        self.layers.fit_(logits / GAIN)

    @torch.no_grad()
    def indexed(self) -> tuple[Tensor, Tensor]:
        """See `Paint.indexed`."""
        return self.layers.total()[0, : self._count].argmax(dim=0), self._palette


class LearnedPaint(Paint):
    """The nearest color of a palette that is learned with the picture.

    A vector-quantized picture whose codes are colors (arXiv:1711.00937): the gradient passes
    straight through to the cells' own colors and on to the palette's, and both are pulled toward
    each other.
    """

    _PULL = 1.0
    _LAST_MOVE = 0.7  # share of the run after which no color is moved any more
    _MOVES = 10  # times in a run at which unused colors are moved

    def __init__(self, layers: Layers, tones: Tones | Ramps, rate: float) -> None:
        super().__init__()
        self.layers = layers
        self.tones = tones
        self._rate = rate
        self._moved: Tensor
        self.register_buffer("_moved", torch.tensor(0))

    def forward(self) -> Tensor:
        """See `Paint.forward`."""
        cells = squash(self.layers.total())
        palette = self.tones()
        chosen = palette[_nearest(cells, palette)].permute(2, 0, 1)[None]
        colors = _Quantized.apply(cells[:, :3], chosen, self._PULL)
        return torch.cat([colors, cells[:, 3:]], dim=1)

    def groups(self, options: PixelOptions) -> list[ParamGroup]:
        """See `Paint.groups`."""
        tones = ParamGroup(name="palette", params=list(self.tones.parameters()), lr=self._rate)
        return [*super().groups(options), tones]

    @torch.no_grad()
    def at_(self, progress: float) -> None:
        """See `Paint.at_`: now and then move colors that no cell has to cells that lack one."""
        turn = int(progress * self._MOVES)
        if turn <= int(self._moved) or progress > self._LAST_MOVE:
            return
        self._moved.fill_(turn)
        cells = squash(self.layers.total())[:, :3]
        palette = self.tones()
        used = torch.bincount(_nearest(cells, palette).flatten(), minlength=len(palette))
        self.tones.move_(used == 0, cells[0].flatten(1).T)

    @torch.no_grad()
    def fit_(self, cells: Tensor) -> None:
        """See `Paint.fit_`: the palette becomes the cells' own, too."""
        self.layers.fit_(unsquash(cells))
        self.tones.fit_(squash(self.layers.total())[0, :3].flatten(1).T)

    @torch.no_grad()
    def indexed(self) -> tuple[Tensor, Tensor]:
        """See `Paint.indexed`; colors are ordered from dark to light, or by ramps."""
        palette = self.tones()
        index = _nearest(squash(self.layers.total()), palette)
        order = self.tones.order()
        return order.argsort()[index], palette[order]


class _Quantized(torch.autograd.Function):
    """Forward: the chosen colors. Backward: to both, each pulled toward the other."""

    @staticmethod
    def forward(ctx, cells, chosen, pull):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN205
        ctx.save_for_backward(cells - chosen)
        ctx.pull = pull
        return chosen.clone()

    @staticmethod
    def backward(ctx, *gradients):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN205
        (off,) = ctx.saved_tensors
        gradient = gradients[0]
        pull = ctx.pull * gradient.abs().mean() * off / off.abs().mean().clamp(min=0.02)
        return gradient + pull, gradient - pull, None


def _nearest(cells: Tensor, palette: Tensor) -> Tensor:
    """Return the index of the palette's nearest color, `(rows, columns)`."""
    with torch.no_grad():
        labs = oklab(cells[0, :3].permute(1, 2, 0))
        distances = torch.cdist(labs.flatten(0, 1), oklab(palette))
        return distances.argmin(dim=1).reshape(labs.shape[:2])


def make_paint(
    rows: int, columns: int, canvas: Canvas, options: PixelOptions, **how: bool
) -> Paint:
    """Build the paint that the options ask for.

    Args:
        rows: of cells.
        columns: of cells.
        canvas: of the drawer.
        options: of the drawer.
        how: passed on to `Layers`.

    Raises:
        SettingsError: a hard palette without a palette, or larger than memory would hold.
    """
    channels = 4 if canvas.transparent else 3
    mode, palette = options.palette_mode, canvas.palette
    if mode == "hard":
        if palette is None:
            raise SettingsError(
                "pixel.palette_mode hard needs a palette: name one, as --palette PICO-8"
            )
        if rows * columns * len(palette) > _MOST_NUMBERS:
            raise SettingsError(
                f"{columns}x{rows} cells and {len(palette)} colors are too many for "
                "pixel.palette_mode hard: use fewer, or the mode snap"
            )
        channels += len(palette) - 3
    start = canvas.stream("pixel/start")
    layers = Layers(rows, columns, start, channels=channels, **how)
    if mode == "hard":
        assert palette is not None
        return HardPaint(layers, palette, canvas, options)
    if mode == "learned":
        return LearnedPaint(layers, _tones(canvas, options), options.colors_rate)
    return FreePaint(layers, palette)


def _tones(canvas: Canvas, options: PixelOptions) -> Tones | Ramps:
    shades = options.shades
    colors = canvas.palette
    if colors is None:
        wanted = max(1, options.colors // shades)
        colors = starting_colors(wanted, canvas.stream("pixel/palette"))
    if len(colors) * shades > 256:
        raise SettingsError(
            f"{len(colors)} colors in {shades} shades are {len(colors) * shades}, at most 256 are "
            "accepted: use a smaller palette or fewer pixel.shades"
        )
    return Tones(colors) if shades == 1 else Ramps(colors, shades)
