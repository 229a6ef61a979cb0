"""Networks of published sizes with random weights: they cost what the real ones cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import open_clip
import torch
from torch import nn

from benchmarks.loop.configs import RANDOM_VQGAN
from text2art.core import Net, Perceptor
from text2art.models import Models
from text2art.nets.vqgan import Vqgan, VqganConfig
from text2art.perceptors.open_clip import OpenClipPerceptor, make_net
from text2art.runtime import Runtime, freeze, stream

# taming's VQGAN of ImageNet with 16384 codes (its configs/model.yaml): 16 pixels a cell.
F16 = VqganConfig(
    ch=128, ch_mult=(1, 1, 2, 2, 4), num_res_blocks=2, z_channels=256, embed_dim=256,
    n_embed=16384, attn_resolutions=(16,),
)  # fmt: skip
# The same in small, for tests.
TINY_F16 = VqganConfig(
    ch=8, ch_mult=(1, 1, 1, 1, 2), num_res_blocks=1, z_channels=8, embed_dim=8, n_embed=32,
    attn_resolutions=(16,), norm_groups=4,
)  # fmt: skip
_TINY_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
_TINY_VIT = {"image_size": 32, "patch_size": 16, "width": 128, "layers": 2}
_TINY_RESNET = {"image_size": 32, "patch_size": None, "width": 8, "layers": [1, 1, 1, 1]}


def random_vqgan(config: VqganConfig = F16) -> Vqgan:
    """Return a VQGAN with the weights of a seed."""
    seed = stream("vqgan", "benchmarks").initial_seed() % 2**31
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Vqgan(config)
        nn.init.normal_(net.codebook)  # wide apart, as trained ones are
    freeze(net)
    return net


def clip_config(model: str, *, tiny: bool = False) -> dict[str, Any]:
    """Return open_clip's description of a model.

    Args:
        model: as "ViT-B-32-quickgelu".
        tiny: whether to describe a small one of its kind instead.
    """
    if not tiny:
        config: dict[str, Any] = open_clip.get_model_config(model)
        return config
    vision = _TINY_RESNET if model.startswith("RN") else _TINY_VIT
    return {
        "embed_dim": 16, "quick_gelu": True, "vision_cfg": dict(vision), "text_cfg": _TINY_TEXT,
    }  # fmt: skip


def clip_net(reference: str, *, tiny: bool = False) -> nn.Module:
    """Return the network of "MODEL@random" in float32 on the CPU: the weights of our perceptor."""
    model, _, _ = reference.partition("@")
    net = make_net(clip_config(model, tiny=tiny), f"{model}@random")
    return freeze(net)


class RandomModels(Models):
    """Models whose VQGAN may be a random one, and whose random networks may be tiny."""

    def __init__(self, runtime: Runtime, *, tiny: bool = False) -> None:
        super().__init__(runtime)
        self._tiny = tiny
        self._small: dict[str, Perceptor] = {}

    def network(self, key: str, load: Callable[[], Net], /) -> Net:
        """See `core.Networks`."""
        if key.startswith(f"vqgan:{RANDOM_VQGAN}"):
            config = TINY_F16 if self._tiny else F16
            load = cast("Callable[[], Net]", lambda: random_vqgan(config))
        return super().network(key, load)

    def perceptor(self, reference: str) -> Perceptor:
        """See `Models.perceptor`."""
        if not (self._tiny and reference.endswith("@random")):
            return super().perceptor(reference)
        if reference not in self._small:
            net = clip_net(reference, tiny=True)
            words = open_clip.SimpleTokenizer(context_length=_TINY_TEXT["context_length"])
            self._small[reference] = OpenClipPerceptor(reference, net, words, self.runtime)
        return self._small[reference]


def tiny_changes(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes of settings that make a drawing small, for tests: size, looks, strokes."""
    changes: dict[str, Any] = {"size": "64x32", "cuts": 2}
    if "pixel" in settings and "cells" in settings["pixel"]:
        changes["pixel"] = {"cells": "8x4"}
    if "clipdraw" in settings:
        changes["clipdraw"] = {**settings["clipdraw"], "strokes": 4}
    return changes
