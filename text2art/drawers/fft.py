"""A picture as its decorrelated Fourier spectrum."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.color import Snap, decorrelation, mix, opacity, opacity_logits, snapped, taken
from text2art.core import Canvas, Drawer, ParamGroup
from text2art.options.drawers import FftOptions

_MEAN = 0.35  # pace of the mean color: faster, "on a blue background" paints all of it blue first
_START = 0.1  # deviation of the spectrum at the start: faint noise
_AROUND = 0.125  # of each side, at either end of it: drawn and not shown
# Of the shorter side: the blur's deviation at the edge, and how far it reaches into the picture.
_BLUR = 0.037
_REACH = 0.1


class FftDrawer(Drawer):
    """A Fourier spectrum whose frequencies are scaled as in natural pictures.

    The parametrization of lucid (Olah et al., "Feature Visualization", Distill 2017, on
    preconditioning): steps of the optimizer become smooth in space and independent in color. The
    spectrum's scale is normalized once, where aphantasia divides every picture by its deviation,
    so that plain pictures can be drawn too. With a palette, every pixel takes its nearest color.

    Waves go on at the opposite side, so the picture is the middle of a larger one: half a cat at
    one edge would have its other half at the other, and `framing` could not tell that it is cut.

    Near the edge it is made of its long waves alone. Looks that reach beyond the picture see its
    edge go on, so that is pulled several times as hard as the rest; the short waves, whose steps
    are as large however weakly they are pulled, followed it and left a dotted rim. What is finer
    there in a picture that the drawer is to resemble is kept as it is.
    """

    has_alpha = True

    def __init__(self, canvas: Canvas, options: FftOptions) -> None:
        super().__init__()
        self._options = options
        self._size = (canvas.height, canvas.width)
        self._around = above, left = tuple(math.ceil(_AROUND * side) for side in self._size)
        self._whole = (canvas.height + 2 * above, canvas.width + 2 * left)
        self._scale: Tensor
        self._colors: Tensor
        scale = options.contrast * _natural_scale(*self._whole, options.decay)
        self.register_buffer("_scale", scale, persistent=False)
        self.register_buffer("_colors", decorrelation(options.colors), persistent=False)
        self._long: Tensor
        self._edge: Tensor
        self._fine: Tensor
        blur = _BLUR * min(self._size)
        self.register_buffer("_long", _gaussian(*self._whole, blur), persistent=False)
        self.register_buffer("_edge", _edge(self._size), persistent=False)
        channels = 4 if canvas.transparent else 3
        self.register_buffer("_fine", torch.zeros(1, channels, *self._size))
        start = torch.randn(1, channels, *scale.shape, 2, generator=canvas.stream("fft/start"))
        self.spectrum = nn.Parameter(_START * start)
        self._snap = None if canvas.palette is None else Snap(canvas.palette)
        self.to(canvas.device)

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        waves = self._waves() + self._fine
        if waves.shape[1] == 3:
            image = torch.sigmoid(mix(self._colors, waves))
        else:
            image = torch.sigmoid(mix(self._colors, waves[:, :3]))
            image = torch.cat([image, opacity(waves[:, 3:])], dim=1)
        return image if self._snap is None else snapped(self._snap, image)

    def _waves(self) -> Tensor:
        """Return the middle of all waves, near the edge of the long ones, `(1, C, H, W)`."""
        spectrum = torch.view_as_complex(self.spectrum) * self._scale
        spectra = torch.cat([spectrum, spectrum * self._long])
        (height, width), (above, left) = self._size, self._around
        whole = torch.fft.irfft2(spectra, s=self._whole, norm="ortho")
        every, long = whole[..., above : above + height, left : left + width].chunk(2)
        return torch.lerp(every, long, self._edge)

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        rate = self._options.learning_rate
        return [ParamGroup(name="spectrum", params=[self.spectrum], lr=rate)]

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`: the inverse of `forward`, with edges that go on around it."""
        picture = taken(picture, self.spectrum.shape[1])
        logits = torch.logit(picture[:, :3].clamp(0.01, 0.99))
        waves = mix(torch.linalg.inv(self._colors), logits)
        if picture.shape[1] == 4:
            waves = torch.cat([waves, opacity_logits(picture[:, 3:])], dim=1)
        (above, left) = self._around
        padded = F.pad(waves, (left, left, above, above), mode="replicate")
        spectrum = torch.fft.rfft2(padded, norm="ortho") / self._scale
        self.spectrum.copy_(torch.view_as_real(spectrum))
        self._fine.copy_(waves - self._waves())


def _frequencies(height: int, width: int) -> Tensor:
    """Return the frequencies of a real spectrum in cycles per pixel, `(H, W // 2 + 1)`."""
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None]
    frequencies: Tensor = (down.square() + across.square()).sqrt()
    return frequencies


def _gaussian(height: int, width: int, deviation: float) -> Tensor:
    """Return how much a blur leaves of each frequency, `(H, W // 2 + 1)`."""
    return torch.exp(-2 * (math.pi * deviation * _frequencies(height, width)).square())


def _edge(size: tuple[int, int]) -> Tensor:
    """Return how near the edge each pixel of a picture is, 1 at the edge to 0, `(H, W)`."""
    reach = _REACH * min(size)
    down, across = (
        torch.minimum(at + 0.5, side - at - 0.5)
        for side, at in ((side, torch.arange(side)) for side in size)
    )
    nearest = torch.minimum(down[:, None], across[None])
    return torch.clamp(1 - nearest / reach, min=0)


def _natural_scale(height: int, width: int, decay: float) -> Tensor:
    """Return 1 / frequency^decay of a real spectrum, `(H, W // 2 + 1)`, with a mean square of 1.

    The mean color, whose frequency is zero, is scaled to move a third as fast as all the rest
    together; the lower bounds on the frequency of lucid and aphantasia leave large areas gray for
    long.
    """
    frequency = _frequencies(height, width)
    scale: Tensor = (1 / frequency.clamp(min=1 / max(height, width))) ** decay
    scale = scale / scale.square().mean().sqrt()
    scale[0, 0] = _MEAN * math.sqrt(height * width)
    return scale
