"""A picture as codes of a VQGAN: the parametrization of VQGAN+CLIP (arXiv:2204.08583)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.color import Snap, clamp_with_gradient
from text2art.core import Canvas, Drawer, ParamGroup
from text2art.drawers.noise import KINDS
from text2art.drawers.pyramid import PyramidDrawer
from text2art.errors import WeightsMissing
from text2art.nets.vqgan import Vqgan, load_vqgan
from text2art.options.drawers import PyramidOptions, VqganOptions
from text2art.runtime import is_large, move, network_dtype
from text2art.weights import catalog

_STARTER = ("", "starter")  # names of the VQGAN that ships
_SKETCH = 0.8  # share of the run, with the starter's VQGAN
_LATE_RATE = 3.0  # when the sketch is done, schedules have lowered the rate to a tenth
_SHARPNESS = 10.0  # logits per squared latent distance, in units of the codebook's mean distance


class Latents(nn.Module):
    """Latents anywhere in the codebook's space, drawn as the nearest entries.

    The gradient passes the choice as if it had not been made (straight through,
    arXiv:1711.00937 section 3.2); after each update latents are kept within the codebook's
    range, channel by channel.
    """

    def __init__(self, net: Vqgan, rows: int, columns: int, draw: torch.Generator) -> None:
        super().__init__()
        self._net = (net,)  # in a tuple: frozen, and no part of the state
        self.values = nn.Parameter(net.quantize.look_up(_any_codes(net, rows, columns, draw)))
        self._low, self._high = (
            bound[:, None, None] for bound in torch.aminmax(net.codebook.detach(), dim=0)
        )

    def entries(self, values: Tensor) -> Tensor:
        """Return entries `(1, D, h, w)` for values of this kind."""
        entries: Tensor = self._net[0].quantize(values)[0]
        return entries

    @torch.no_grad()
    def fit_(self, latents: Tensor) -> None:
        """Take on latents `(1, D, h, w)`."""
        self.values.copy_(latents)
        self.project_()

    @torch.no_grad()
    def project_(self) -> None:
        """Keep each channel within the codebook's."""
        self.values.copy_(self.within(self.values))

    def within(self, latents: Tensor) -> Tensor:
        """Return latents with each channel within the codebook's."""
        return torch.maximum(torch.minimum(latents, self._high), self._low)


class Logits(nn.Module):
    """A preference over all entries at each place, drawn as the most preferred.

    Gumbel-softmax with straight-through choices (arXiv:1611.01144 section 2.2): backward, the
    gradient is that of the softmax-weighted mean of all entries. New noise is drawn after each
    update; in evaluation there is none.
    """

    def __init__(
        self, net: Vqgan, rows: int, columns: int, draw: torch.Generator, temperature: float
    ) -> None:
        super().__init__()
        self._codebook = (net.codebook.detach(),)  # in a tuple: frozen, and no part of the state
        self._draw, self._temperature = draw, temperature
        self._noise: Tensor
        self._scale = _SHARPNESS / float(torch.pdist(net.codebook[:256].detach()).square().mean())
        entries = net.quantize.look_up(_any_codes(net, rows, columns, draw))
        self.values = nn.Parameter(self._preferences(entries))
        self.register_buffer("_noise", torch.zeros_like(self.values))

    def entries(self, values: Tensor) -> Tensor:
        """Return entries `(1, D, h, w)` for values of this kind."""
        noise = self._noise if self.training else 0.0
        soft = ((values + noise) / self._temperature).softmax(1)
        hard = torch.zeros_like(soft).scatter_(1, soft.argmax(1, keepdim=True), 1.0)
        weights = soft + (hard - soft).detach()
        return torch.einsum("bnhw,nd->bdhw", weights, self._codebook[0])

    @torch.no_grad()
    def fit_(self, latents: Tensor) -> None:
        """Prefer the entries nearest to latents `(1, D, h, w)`."""
        self.values.copy_(self._preferences(latents))

    @torch.no_grad()
    def project_(self) -> None:
        """Draw new noise. Any preferences are valid."""
        uniform = torch.rand(self.values.shape, generator=self._draw).clamp(1e-9, 1 - 1e-7)
        self._noise.copy_(move(-(-uniform.log()).log(), self._noise))

    @torch.no_grad()
    def _preferences(self, latents: Tensor) -> Tensor:
        rows = latents.permute(0, 2, 3, 1).flatten(0, 2)
        far = torch.cdist(rows, self._codebook[0]).square()
        return (-self._scale * far).T.reshape(1, -1, *latents.shape[2:]).contiguous()


class VqganDrawer(Drawer):
    """The decoder's picture of a grid of codebook entries.

    The picture is drawn at the next multiple of the VQGAN's factor and cut to size evenly, where
    VQGAN-CLIP and pixray make smaller pictures than asked for. What leaves [0, 1] is clamped, and
    its gradient is kept where it leads back. In evaluation (`eval()`), as the result is drawn, the
    latents are their running average if there is one.

    For the first `sketch` share of a run it draws layers of color, as `pyramid` does, which cost
    next to nothing and move whole regions at once; then the encoder takes the sketch on. In
    evaluation a sketch is shown as the VQGAN would take it on.
    """

    def __init__(self, canvas: Canvas, options: VqganOptions) -> None:
        super().__init__()
        net = canvas.network(
            f"vqgan:{options.model}:{options.config}",
            lambda: load_vqgan(vqgan_place(options.model), options.config or None),
        )
        net.to(canvas.device)
        net.settle_(network_dtype(canvas.device, small=not is_large(net)))
        self._options, self._net = options, (net,)  # in a tuple: frozen, and no part of the state
        self._size = (canvas.height, canvas.width)
        factor = net.config.factor
        rows, columns = (max(1, math.ceil(n / factor)) for n in self._size)
        self._full = (rows * factor, columns * factor)
        draw = canvas.stream("vqgan/start")
        self.codes: Latents | Logits
        if options.codes == "logits":
            self.codes = Logits(net, rows, columns, draw, options.temperature)
        else:
            self.codes = Latents(net, rows, columns, draw)
        self._average: Tensor
        self._averaged: Tensor  # weight of all that went into the average, for its bias
        self.register_buffer("_average", torch.zeros_like(self.codes.values))
        self.register_buffer("_averaged", torch.zeros(()))
        self._snap = None if canvas.palette is None else Snap(canvas.palette).to(canvas.device)
        self._until = _sketch_share(options) if options.start == "codes" else 0.0
        self._sketch = PyramidDrawer(canvas, PyramidOptions()) if self._until else None
        self._sketching: Tensor  # part of the state; `_drafting` says the same without a wait
        self._drafting = self._sketch is not None
        if self._drafting:
            self.register_buffer("_sketching", torch.tensor(True))
        self.to(canvas.device)
        if options.start in KINDS:
            self.fit_(KINDS[options.start](*self._size, draw).to(canvas.device))

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        sketch = self._sketched()
        if sketch is not None and self.training:
            return sketch
        entries = self.codes.entries(self._values()) if sketch is None else self._taken(sketch)
        image = clamp_with_gradient(self._decode(entries) / 2 + 0.5)
        return image if self._snap is None else self._snap(image)

    def _sketched(self) -> Tensor | None:
        """Return the sketch, while it is drawn."""
        if self._sketch is None or not self._drafting:
            return None
        drawn: Tensor = self._sketch()
        return drawn

    def _taken(self, picture: Tensor) -> Tensor:
        """Return the entries that `fit_` would take a picture on with."""
        latents = self._encoded(picture)
        if isinstance(self.codes, Latents):
            latents = self.codes.within(latents)
        entries: Tensor = self._net[0].quantize(latents)[0]
        return entries

    def _values(self) -> Tensor:
        if not self.training and self._options.average and float(self._averaged):
            return self._average / self._averaged
        return self.codes.values

    def at_(self, progress: float) -> None:
        """See `abilities.Annealed.at_`: the VQGAN takes the sketch on when it is time."""
        if progress >= self._until:
            with torch.no_grad():
                sketch = self._sketched()
                if sketch is not None:
                    self.fit_(sketch)

    def _decode(self, entries: Tensor) -> Tensor:
        whole: Tensor = self._net[0].decode(entries)
        top, left = ((full - n) // 2 for full, n in zip(self._full, self._size, strict=True))
        return whole[..., top : top + self._size[0], left : left + self._size[1]]

    def latents(self) -> Tensor:
        """See `abilities.LatentSource.latents`."""
        sketch = self._sketched()
        if sketch is not None:
            return self._encoded(sketch)
        values = self._values()
        return values if isinstance(self.codes, Latents) else self.codes.entries(values)

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        rate = self._options.learning_rate
        layers: list[ParamGroup] = []
        if self._sketch is not None:
            layers, rate = self._sketch.groups(), rate * _LATE_RATE
        return [*layers, ParamGroup(name="codes", params=[self.codes.values], lr=rate)]

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`: what the encoder makes of the picture. A sketch is over then."""
        self.codes.fit_(self._encoded(picture[:, :3]))
        self._averaged.zero_()
        self._average.zero_()
        if self._sketch is not None:
            self._sketching.fill_(False)
            self._drafting = False

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load a state, and learn from it whether it is still a sketch."""
        result = super().load_state_dict(*args, **kwargs)
        self._drafting = self._sketch is not None and bool(self._sketching)
        return result

    def _encoded(self, picture: Tensor) -> Tensor:
        """Return the latents of a picture of the drawer's size, continued at its edges."""
        (height, width), (full_h, full_w) = self._size, self._full
        top, left = (full_h - height) // 2, (full_w - width) // 2
        around = (left, full_w - width - left, top, full_h - height - top)
        padded = F.pad(picture, around, mode="replicate")
        return self._net[0].encode(padded * 2 - 1)

    @torch.no_grad()
    def project_(self) -> None:
        """See `core.Drawer.project_`; also carries the running average on."""
        if self._sketch is not None:
            self._sketch.project_()
        self.codes.project_()
        decay = self._options.average
        if decay:
            self._average.mul_(decay).add_(self.codes.values, alpha=1 - decay)
            self._averaged.mul_(decay).add_(1 - decay)


def _sketch_share(options: VqganOptions) -> float:
    """Return what share of a run is drawn as a sketch: by default only with the starter."""
    if options.sketch is not None:
        return options.sketch
    return _SKETCH if options.model in _STARTER else 0.0


def vqgan_place(model: str) -> Path:
    """Return the file or folder of a VQGAN by name or path.

    Args:
        model: "" for the starter's, a name of the catalog ("imagenet_f16_16384"), a file, or a
            folder with one checkpoint; files are also looked for in the weights folders.

    Raises:
        WeightsMissing: it is not on this machine; the message says how to get it.
        WeightsCorrupt: it is not what the catalog says.
    """
    if model in _STARTER:
        return catalog.starter_folder()
    known = next((e for e in catalog.entries() if e.answers_to(model)), None)
    if known is not None:
        paths = catalog.verify(known)
        return next(p for p in paths if p.suffix not in (".yaml", ".yml", ".json"))
    given = Path(model).expanduser()
    found = given if given.exists() else catalog.find(model) or catalog.find(f"vqgan/{model}")
    if found is None:
        names = [e.name for e in catalog.entries() if e.files[0].path.startswith("vqgan/")]
        raise WeightsMissing(
            f"the VQGAN {model!r} is neither a file or folder here, nor in {catalog.folder()}, nor "
            f"known by name (starter, {', '.join(names)})"
        )
    return found


def _any_codes(net: Vqgan, rows: int, columns: int, draw: torch.Generator) -> Tensor:
    codes = torch.randint(net.config.n_embed, (1, rows, columns), generator=draw)
    return codes.to(net.codebook.device)
