"""Perceptors of open_clip: any of its models with a local weight file, OpenAI's archives included.

Nothing is downloaded, and weights are never random unless asked for by name ("ViT-B-32@random").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from text2art.core import Perceptor
from text2art.errors import MissingExtra, UnknownComponent, WeightsCorrupt, WeightsMissing
from text2art.graphs import graphed
from text2art.nets.towers import ClassTokenTransformer, lean_
from text2art.perceptors.cut import cut_notice
from text2art.perceptors.reference import (
    OPENAI_MARKS,
    Reference,
    normalization,
    parse,
    trained_with_quick_gelu,
    weight_file,
)
from text2art.runtime import Runtime, freeze, recorder, stream
from text2art.weights import catalog
from text2art.weights.safe import read_state_dict

RANDOM = "random"
# What guidance does not use: the scale of training's loss, the captions' decoder, and tables that
# other versions of open_clip stored.
_NOT_NEEDED = ("logit_scale", "logit_bias", "text_decoder.")
_BUILDING = threading.Lock()  # networks are built one at a time: torch has one random state
Tokenizer = Callable[[list[str]], Tensor]


class OpenClipPerceptor:
    """Sees and reads with a network of open_clip.

    The image tower computes in the runtime's type for its size, and without what guidance needs
    not (`nets.towers`); the text tower, which is asked once, and everything outside in float32.

    Attributes:
        patches: of a look, where the image tower is a vision transformer that can leave some out;
            else 0. See `abilities.SeesPatches`.
    """

    def __init__(
        self,
        name: str,
        net: nn.Module,
        tokenizer: Tokenizer,
        runtime: Runtime,
        *,
        mean: Sequence[float] = OPENAI_DATASET_MEAN,
        std: Sequence[float] = OPENAI_DATASET_STD,
        digest: str = "",
    ) -> None:
        self.name = name
        self.size = _side(net.visual)
        self.digest = digest
        self._net: Any = freeze(net).to(runtime.device)
        whole: Any = net
        visual = whole.visual
        self._dtype = runtime.dtype_for(visual)
        tower = lean_(visual)
        self.patches = tower.patches if isinstance(tower, ClassTokenTransformer) else 0
        self._embed: Callable[..., Tensor] = tower or whole.encode_image
        visual.to(self._dtype)
        self._tokenizer = tokenizer
        self._device = runtime.device
        self._mean = torch.tensor(mean).view(1, 3, 1, 1).to(runtime.device)
        self._std = torch.tensor(std).view(1, 3, 1, 1).to(runtime.device)
        self._look = graphed(self._looked, recorder(runtime.device))

    def see(self, crops: Tensor) -> Tensor:
        """See `core.Perceptor.see`."""
        return self._look(self._fitting(crops))

    def see_patches(self, crops: Tensor, kept: Tensor) -> Tensor:
        """See `abilities.SeesPatches.see_patches`."""
        return self._look(self._fitting(crops), kept)

    def _fitting(self, crops: Tensor) -> Tensor:
        if crops.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"{self.name} sees (N, 3, {self.size}, {self.size}): {crops.shape}")
        return crops

    def _looked(self, crops: Tensor, *kept: Tensor) -> Tensor:
        normalized = ((crops - self._mean) / self._std).to(self._dtype)
        return F.normalize(self._embed(normalized, *kept).float(), dim=-1)

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Tensor:
        """See `core.Perceptor.read`."""
        # One at a time: in a batch the same text could differ in its last bits.
        rows = [self._tokenizer([text]).to(self._device) for text in texts]
        embedded = torch.cat([self._net.encode_text(row) for row in rows])
        return F.normalize(embedded.float(), dim=-1)

    def notices(self, text: str) -> list[str]:
        """Quote what is cut off of a text that is too long."""
        if not isinstance(self._tokenizer, open_clip.SimpleTokenizer):
            return []  # the others do not say what they cut
        return cut_notice(self._tokenizer, text, self._tokenizer.context_length, self.name)


def _side(tower: Any) -> int:
    size = tower.image_size
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise UnknownComponent(f"models that see {width}x{height} are not supported: only squares")
    return int(width)


# ---- building ----------------------------------------------------------------------------------


def build(model: str, runtime: Runtime) -> Perceptor:
    """Load a model of open_clip.

    Args:
        model: "MODEL" (OpenAI's weights), "MODEL@TAG", "MODEL@FILE" (absolute, or relative to here
            or to a weights folder; the words of an image tower's file are read with OpenAI's
            weights of the model) or "MODEL@random" (for tests and benchmarks).
        runtime: where and in which number type it computes.

    Raises:
        UnknownComponent: no such model.
        WeightsMissing: its weights are not on this machine; the message says how to get them.
        WeightsCorrupt: they are damaged or of another model.
        MissingExtra: it reads with a tokenizer that is not on this machine.
    """
    wanted = parse(model)
    config = open_clip.get_model_config(wanted.model)
    tokenizer = _tokenizer(wanted.model, config["text_cfg"])
    mean, std = normalization(wanted)
    if wanted.weights == RANDOM:
        net = make_net(config, f"{wanted.model}@{RANDOM}")
        return OpenClipPerceptor(wanted.name, net, tokenizer, runtime, mean=mean, std=std)
    path = weight_file(wanted)
    state, origin = read_state_dict(path), wanted
    if _is_image_tower(state):
        origin = replace(wanted, name=wanted.model, weights="")
        state = _completed(state, path, origin)
    if trained_with_quick_gelu(origin, state):
        config["quick_gelu"] = True
    net = blank_net(config)
    fill_(net, state, path, wanted.model)
    digest = catalog.sha256_of(path)
    return OpenClipPerceptor(
        wanted.name, net, tokenizer, runtime, mean=mean, std=std, digest=digest
    )


def _is_image_tower(state: Mapping[str, Tensor]) -> bool:
    return "conv1.weight" in state and not any(name.startswith("visual.") for name in state)


def _completed(tower: Mapping[str, Tensor], path: Path, openai: Reference) -> dict[str, Tensor]:
    """Return the weights of a whole CLIP: an image tower's, and for the words OpenAI's.

    Robust CLIPs (FARE, TeCoA) are fine-tuned image towers of OpenAI's and published as such.
    """
    try:
        whole = read_state_dict(weight_file(openai))
    except WeightsMissing as error:
        raise WeightsMissing(
            f"{path} holds an image tower alone, and OpenAI's model, which reads for it, is "
            f"missing: {error}"
        ) from error
    words = {name: value for name, value in whole.items() if not name.startswith("visual.")}
    return {**words, **{f"visual.{name}": value for name, value in tower.items()}}


def make_net(config: Mapping[str, Any], seed: str) -> nn.Module:
    """Build the network of a model config with random weights that depend on `seed` alone."""
    with _seeded(seed):
        return _built(config)


def blank_net(config: Mapping[str, Any]) -> nn.Module:
    """Build the network of a model config for weights that are to be loaded.

    Its weights are whatever was in memory: drawing random ones takes longer than loading a file.
    """
    with _seeded("blank"), _NothingDrawn():
        return _built(config)


def _built(config: Mapping[str, Any]) -> nn.Module:
    given = dict(config)
    custom_text = given.pop("custom_text", False)
    kind = open_clip.CLIP
    if custom_text:
        kind = open_clip.CoCa if "multimodal_cfg" in given else open_clip.CustomTextCLIP
    net: nn.Module = kind(**given)
    return net


class _NothingDrawn(TorchFunctionMode):
    """Leaves tensors as they are that would be filled with random numbers."""

    _FILLING = frozenset(
        [
            *(torch.Tensor.uniform_, torch.Tensor.normal_),
            *(nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_),
            *(nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
            *(nn.init.xavier_uniform_, nn.init.xavier_normal_),
        ]
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in self._FILLING:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def _seeded(seed: str) -> Iterator[None]:
    """Lend torch's global random state a seed of ours: networks initialize themselves from it."""
    with _BUILDING, torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(stream(seed, "open_clip").get_state())
        yield


def fill_(net: nn.Module, state: dict[str, Tensor], path: Path, model: str) -> None:
    """Load weights into a network, bringing older and foreign layouts into open_clip's.

    Raises:
        WeightsCorrupt: they do not fit.
    """
    try:
        state = convert_state_dict(net, state)
        if not hasattr(net, "positional_embedding"):
            state = convert_to_custom_text_state_dict(state)
        state = {k: v for k, v in state.items() if not _is_spare(k)}
        missing, unexpected = net.load_state_dict(state, strict=False)
    except (RuntimeError, KeyError, IndexError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsCorrupt(f"{path} does not hold the weights of {model}: {reason}") from error
    missing = [name for name in missing if not _is_spare(name)]
    for what, names in (("lacks", missing), ("has, beyond it,", unexpected)):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
            raise WeightsCorrupt(f"{path} does not hold the weights of {model}: it {what} {shown}")


def _is_spare(name: str) -> bool:
    return name.startswith(_NOT_NEEDED) or name.endswith("attn_mask") or name in OPENAI_MARKS


def _tokenizer(model: str, text_config: Mapping[str, Any]) -> Tokenizer:
    context: int = text_config.get("context_length", DEFAULT_CONTEXT_LENGTH)
    options = text_config.get("tokenizer_kwargs") or {}
    if "hf_model_name" in text_config:
        raise UnknownComponent(
            f"{model} reads with a text network of Hugging Face, which is not supported: "
            "use a model with open_clip's own, as ViT-B-32"
        )
    hub_name = text_config.get("hf_tokenizer_name")
    if not hub_name:
        plain: Tokenizer = open_clip.SimpleTokenizer(context_length=context, **options)
        return plain
    folder = catalog.find(f"tokenizers/{hub_name}")
    if folder is None:
        raise MissingExtra(
            f"{model} needs the tokenizer https://huggingface.co/{hub_name}: put its files into "
            f"{catalog.folder() / 'tokenizers' / hub_name}"
        )
    mode = text_config.get("tokenizer_mode")
    try:
        tokenizer: Tokenizer = HFTokenizer(
            str(folder), context_length=context, tokenizer_mode=mode, **options
        )
    except ImportError:
        raise MissingExtra(f"{model} needs transformers: pip install transformers") from None
    return tokenizer
