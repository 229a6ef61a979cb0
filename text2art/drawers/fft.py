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


class FftDrawer(Drawer):
    """A Fourier spectrum whose frequencies are scaled as in natural pictures.

    The parametrization of lucid (Olah et al., "Feature Visualization", Distill 2017, on
    preconditioning): steps of the optimizer become smooth in space and independent in color. The
    spectrum's scale is normalized once, where aphantasia divides every picture by its deviation,
    so that plain pictures can be drawn too. With a palette, every pixel takes its nearest color.

    Waves go on at the opposite side, so the picture is the middle of a larger one: half a cat at
    one edge would have its other half at the other, and `framing` could not tell that it is cut.
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
        channels = 4 if canvas.transparent else 3
        start = torch.randn(1, channels, *scale.shape, 2, generator=canvas.stream("fft/start"))
        self.spectrum = nn.Parameter(_START * start)
        self._snap = None if canvas.palette is None else Snap(canvas.palette)
        self.to(canvas.device)

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        spectrum = torch.view_as_complex(self.spectrum) * self._scale
        waves = torch.fft.irfft2(spectrum, s=self._whole, norm="ortho")
        (height, width), (above, left) = self._size, self._around
        waves = waves[..., above : above + height, left : left + width]
        if waves.shape[1] == 3:
            image = torch.sigmoid(mix(self._colors, waves))
        else:
            image = torch.sigmoid(mix(self._colors, waves[:, :3]))
            image = torch.cat([image, opacity(waves[:, 3:])], dim=1)
        return image if self._snap is None else snapped(self._snap, image)

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
        waves = F.pad(waves, (left, left, above, above), mode="replicate")
        spectrum = torch.fft.rfft2(waves, norm="ortho") / self._scale
        self.spectrum.copy_(torch.view_as_real(spectrum))


def _natural_scale(height: int, width: int, decay: float) -> Tensor:
    """Return 1 / frequency^decay of a real spectrum, `(H, W // 2 + 1)`, with a mean square of 1.

    The mean color, whose frequency is zero, is scaled to move a third as fast as all the rest
    together; the lower bounds on the frequency of lucid and aphantasia leave large areas gray for
    long.
    """
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None]
    frequency = (down.square() + across.square()).sqrt()
    scale: Tensor = (1 / frequency.clamp(min=1 / max(height, width))) ** decay
    scale = scale / scale.square().mean().sqrt()
    scale[0, 0] = _MEAN * math.sqrt(height * width)
    return scale
