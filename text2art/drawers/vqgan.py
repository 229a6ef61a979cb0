"""A picture as codes of a VQGAN: the parametrization of VQGAN+CLIP (arXiv:2204.08583)."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.color import Snap, clamp_with_gradient
from text2art.core import Canvas, Drawer, ParamGroup
from text2art.drawers.noise import KINDS
from text2art.errors import WeightsMissing
from text2art.nets.vqgan import Vqgan, load_vqgan
from text2art.options.drawers import VqganOptions
from text2art.runtime import is_large, network_dtype
from text2art.weights import catalog

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
        self.values.copy_(torch.maximum(torch.minimum(self.values, self._high), self._low))


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
        self._noise.copy_(-(-uniform.log()).log())

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
    """

    def __init__(self, canvas: Canvas, options: VqganOptions) -> None:
        super().__init__()
        net = canvas.network(
            f"vqgan:{options.model}:{options.config}",
            lambda: load_vqgan(vqgan_place(options.model), options.config or None),
        )
        net.to(canvas.device)
        net.settle_(network_dtype(canvas.device) if is_large(net) else torch.float32)
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
        self.to(canvas.device)
        if options.start in KINDS:
            self.fit_(KINDS[options.start](*self._size, draw).to(canvas.device))

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        image = clamp_with_gradient(self._decode(self.codes.entries(self._values())) / 2 + 0.5)
        return image if self._snap is None else self._snap(image)

    def _values(self) -> Tensor:
        if not self.training and self._options.average and float(self._averaged):
            return self._average / self._averaged
        return self.codes.values

    def _decode(self, entries: Tensor) -> Tensor:
        whole: Tensor = self._net[0].decode(entries)
        top, left = ((full - n) // 2 for full, n in zip(self._full, self._size, strict=True))
        return whole[..., top : top + self._size[0], left : left + self._size[1]]

    def latents(self) -> Tensor:
        """See `abilities.LatentSource.latents`."""
        values = self._values()
        return values if isinstance(self.codes, Latents) else self.codes.entries(values)

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        rate = self._options.learning_rate
        return [ParamGroup(name="codes", params=[self.codes.values], lr=rate)]

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`: what the encoder makes of the picture."""
        (height, width), (full_h, full_w) = self._size, self._full
        top, left = (full_h - height) // 2, (full_w - width) // 2
        around = (left, full_w - width - left, top, full_h - height - top)
        padded = F.pad(picture[:, :3], around, mode="replicate")
        self.codes.fit_(self._net[0].encode(padded * 2 - 1))
        self._averaged.zero_()
        self._average.zero_()

    @torch.no_grad()
    def project_(self) -> None:
        """See `core.Drawer.project_`; also carries the running average on."""
        self.codes.project_()
        decay = self._options.average
        if decay:
            self._average.mul_(decay).add_(self.codes.values, alpha=1 - decay)
            self._averaged.mul_(decay).add_(1 - decay)


def vqgan_place(model: str) -> Path:
    """Return the file or folder of a VQGAN by name or path.

    Args:
        model: "" for the starter's, a name of the catalog ("imagenet_f16_16384"), a file, or a
            folder with one checkpoint; files are also looked for in the weights folders.

    Raises:
        WeightsMissing: it is not on this machine; the message says how to get it.
        WeightsCorrupt: it is not what the catalog says.
    """
    if model in ("", "starter"):
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
