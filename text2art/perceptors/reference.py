"""What a name such as "ViT-B-32@laion2b_s34b_b79k" means: network, weights, their ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import open_clip
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor

from text2art.errors import UnknownComponent, WeightsMissing
from text2art.weights import catalog

# OpenAI's archives, and no others, carry these three numbers among their tensors.
OPENAI_MARKS = ("input_resolution", "context_length", "vocab_size")


@dataclass(frozen=True)
class Reference:
    """What "MODEL" or "MODEL@WEIGHTS" names.

    Attributes:
        name: as it was given.
        model: open_clip's name of the network, with its "-quickgelu" if given.
        weights: "" for OpenAI's, a tag of open_clip, a file, or "random".
    """

    name: str
    model: str
    weights: str

    @property
    def tag(self) -> str:
        """The tag of open_clip, "" when the weights are a file or random."""
        tag = self.weights or "openai"
        return tag if tag in _tags(self.model) else ""


def parse(name: str) -> Reference:
    """Read "ViT-B-32", "ViT-B/32", "ViT-L/14@336px", "ViT-B-32@TAG" or "ViT-B-32@FILE".

    Raises:
        UnknownComponent: open_clip has no such model; near names are suggested.
    """
    known = {model.lower(): model for model in open_clip.list_models()}
    openai = next((e for e in catalog.entries() if e.answers_to(name)), None)
    if openai is not None and openai.name.lower() in known and not _asks_quick_gelu(name):
        return Reference(name, known[openai.name.lower()], "")
    model, _, weights = name.partition("@")
    found = known.get(model.strip().replace("/", "-").lower())
    if found is None:
        near = catalog.nearest(model, known.values())
        raise UnknownComponent(
            f"unknown model {model!r}: open_clip has no such network.{near} "
            "Use auto, starter, or a name such as ViT-B-32 or ViT-B-32@laion2b_s34b_b79k"
        )
    return Reference(name, found, weights.strip())


def _asks_quick_gelu(model: str) -> bool:
    return model.lower().partition("@")[0].endswith("-quickgelu")


def _tags(model: str) -> list[str]:
    tags: list[str] = open_clip.list_pretrained_tags_by_model(model.removesuffix("-quickgelu"))
    return tags


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if names[6:] else "") or "none"


def weight_file(wanted: Reference) -> Path:
    """Return the weight file of a reference.

    Raises:
        WeightsMissing: it is not on this machine.
    """
    if wanted.weights and not wanted.tag:
        given = Path(wanted.weights).expanduser()
        found = given if given.is_file() else catalog.find(wanted.weights)
        if found is None or not found.is_file():
            folders = " or ".join(str(folder) for folder in catalog.search_path())
            tags = _some(_tags(wanted.model))
            raise WeightsMissing(
                f"weights {wanted.weights!r} of {wanted.model} are neither a file here, nor in "
                f"{folders}, nor a tag of open_clip (its tags: {tags})"
            )
        return found
    name = f"{wanted.model}@{wanted.tag}" if wanted.weights else wanted.model
    path = catalog.find_clip(name)
    if path is None:
        raise WeightsMissing(_missing(wanted, name))
    return path


def local_models() -> Iterator[str]:
    """Yield the models whose weights are on this machine and that read with CLIP's own tokenizer.

    First those of the catalog, in its order, then files that bear a tag of open_clip.
    """
    known = open_clip.list_models()
    names = [entry.name for entry in catalog.entries() if entry.name in known]
    names += [f"{model}@{tag}" for model, tag in open_clip.list_pretrained() if tag != "openai"]
    for name in names:
        if catalog.find_clip(name) is not None and not _reads_otherwise(name.partition("@")[0]):
            yield name


def _reads_otherwise(model: str) -> bool:
    config = open_clip.get_model_config(model)
    return bool({"hf_model_name", "hf_tokenizer_name"} & set(config["text_cfg"]))


def _missing(wanted: Reference, name: str) -> str:
    entry = next((e for e in catalog.entries() if e.answers_to(name.removesuffix("@openai"))), None)
    files = " or ".join(catalog.clip_files(name))
    start = f"the weights of {wanted.name} are not here: {files} was looked for"
    if entry is not None:
        return f"{start}. {catalog.how_to_get(entry)}"
    if not wanted.tag:
        tags = _some(_tags(wanted.model))
        return f"{start}. Name published weights as {wanted.model}@TAG (tags: {tags})"
    source = open_clip.get_pretrained_cfg(wanted.model.removesuffix("-quickgelu"), wanted.tag)
    hub = source.get("hf_hub", "").strip("/")
    where = source.get("url") or (f"https://huggingface.co/{hub}" if hub else "its publisher")
    return f"{start}. Get the file from {where} and put it into {catalog.folder()}"


def trained_with_quick_gelu(wanted: Reference, state: Mapping[str, Tensor]) -> bool:
    """Whether the weights were trained with OpenAI's QuickGELU in place of GELU.

    A file says so by its origin: OpenAI's archives bear marks, open_clip's tags are listed; of any
    other file only the name can tell ("ViT-B-32-quickgelu@file.pt").
    """
    if _asks_quick_gelu(wanted.model) or all(mark in state for mark in OPENAI_MARKS):
        return True
    if not wanted.tag:
        return False
    source = open_clip.get_pretrained_cfg(wanted.model.removesuffix("-quickgelu"), wanted.tag)
    return bool(source.get("quick_gelu", False))


def normalization(wanted: Reference) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and deviation: those of the tag, or of all tags of the model if they agree."""
    model = wanted.model.removesuffix("-quickgelu")
    tags = [wanted.tag] if wanted.tag else _tags(model)
    found = {(c["mean"], c["std"]) for c in (open_clip.get_pretrained_cfg(model, t) for t in tags)}
    if len(found) == 1:
        return found.pop()
    return OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
