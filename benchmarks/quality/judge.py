"""Eyes: perceptors that look at finished pictures, whole."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from benchmarks.quality.questions import CHOSEN_OF, KINDS, Choices, Question, choices_of
from text2art.core import Perceptor
from text2art.errors import SettingsError, WeightsCorrupt, WeightsMissing
from text2art.media.convert import to_tensor
from text2art.models import Models
from text2art.perceptors import starter
from text2art.perceptors.ensemble import Ensemble
from text2art.runtime import Runtime
from text2art.weights import catalog

JUDGE = Path(__file__).parents[1] / "judge"
_FILES = ("perceptor.json", "perceptor.safetensors")
_BLUR_AT, _QUALITY = 64, 50  # blur of one pixel at this side; JPEG's quality
_MILD = 0.9  # side of a crop


class Eye:
    """Scores the choices of a question on a picture.

    Args:
        members: perceptors and their weights.
        runtime: where they compute.
        crops: whether four mild crops are averaged with the whole picture.
    """

    def __init__(
        self, members: Sequence[tuple[Perceptor, float]], runtime: Runtime, *, crops: bool = False
    ) -> None:
        self._members = list(members)
        self._device = runtime.device
        self._crops = crops
        self._read: dict[tuple[str, ...], list[Tensor]] = {}

    @property
    def digests(self) -> list[str]:
        """Checksums of the members' weights."""
        return [perceptor.digest for perceptor, _ in self._members]

    @property
    def parts(self) -> set[str]:
        """Checksums of all files of weights: the starter may be several networks."""
        return {
            digest
            for perceptor, _ in self._members
            for digest in getattr(perceptor, "parts", [perceptor.digest])
        }

    @property
    def size(self) -> int:
        """Side of what is seen, of the largest member."""
        return max(perceptor.size for perceptor, _ in self._members)

    @torch.no_grad()
    def scores(
        self, images: Sequence[Image.Image], question: Question, values: Sequence[str]
    ) -> Tensor:
        """Return the cosines of pictures with all choices, (pictures, choices), on the CPU."""
        texts = [self._texts(question.texts(value)) for value in values]
        total = sum(weight for _, weight in self._members)
        parts = []
        for i, (perceptor, weight) in enumerate(self._members):
            seen = torch.stack([self._see(perceptor, image) for image in images])
            parts.append(weight / total * (seen @ torch.stack([text[i] for text in texts]).T))
        return torch.stack(parts).sum(0).cpu()

    def _see(self, perceptor: Perceptor, image: Image.Image) -> Tensor:
        looks = [image, *(_crops(image) if self._crops else ())]
        batch = torch.cat([whole(look, perceptor.size) for look in looks]).to(self._device)
        return F.normalize(perceptor.see(batch).mean(0), dim=-1)

    def _texts(self, wordings: tuple[str, ...]) -> list[Tensor]:
        """Return the mean direction of some wordings, per member."""
        if wordings not in self._read:
            self._read[wordings] = [
                F.normalize(perceptor.read(wordings).mean(0), dim=-1)
                for perceptor, _ in self._members
            ]
        return self._read[wordings]


def load_judge(folder: Path, runtime: Runtime, *, crops: bool = False) -> Eye:
    """Load the judge, in full precision on any device.

    Raises:
        WeightsMissing: there is none; says how to make one.
        WeightsCorrupt: it is damaged.
    """
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise WeightsMissing(
            f"no judge: {' and '.join(missing)} not found in {folder}. A judge is a starter "
            "perceptor of another architecture and seed that guides nothing; docs/quality.md says "
            f"how to make one (python -m training.make --parts judge --judge-out {folder} "
            "--icons DIR), or name its folder with --judge"
        )
    perceptor = starter.build(str(folder), Runtime(runtime.device))
    return Eye([(perceptor, 1.0)], runtime, crops=crops)


def taught(folder: Path) -> dict[str, list[str]]:
    """Return what a starter perceptor can be asked for, by kind of question.

    Raises:
        WeightsCorrupt: its card does not say.
    """
    path = folder / _FILES[0]
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return choices_of([str(s) for s in card["subjects"]], set(card["vocabulary"]))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise WeightsCorrupt(f"{path} does not list what it knows: {error}") from error


def guides_taught(ensemble: Ensemble) -> list[Choices]:
    """Return the same for every starter among the guides; others were taught no list."""
    places = [name.partition("/")[::2] for name in ensemble.names]
    return [
        taught(Path(folder) if folder else catalog.starter_folder())
        for head, folder in places
        if head == "starter"
    ]


def common(known: Sequence[Choices]) -> dict[str, list[str]]:
    """Return the choices that all have, in the order of the first.

    Raises:
        SettingsError: fewer than two of a kind: nothing could be ranked.
    """
    shared = {kind: [v for v in known[0][kind] if all(v in k[kind] for k in known)]
              for kind in KINDS if kind not in CHOSEN_OF}  # fmt: skip
    for kind, values in shared.items():
        if len(values) < 2:
            raise SettingsError(
                f"judge and guides share {len(values)} choices of {kind}, at least 2 are needed: "
                "use a judge that was taught what the guide was"
            )
    return shared


def guide_eye(models: Models, ensemble: Ensemble) -> Eye:
    """Let the guides themselves look, as the judge does: what the judge's eye is compared with."""
    return Eye(ensemble.members, models.runtime)


def whole(image: Image.Image, size: int) -> Tensor:
    """Return the whole picture, (1, 3, size, size): averaged over areas, squeezed if oblong."""
    shrinks = min(image.size) >= size
    kind = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return to_tensor(_opaque(image).resize((size, size), kind), size, size)


def as_jpeg(image: Image.Image, size: int) -> Image.Image:
    """Return the picture, shrunk to what the judge sees, after JPEG: its blocks then count most."""
    small = _opaque(image).resize((size, size), Image.Resampling.BOX)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    return Image.open(file).convert("RGB")


def blurred(image: Image.Image) -> Image.Image:
    """Return the picture blurred by one pixel of 64."""
    sigma = min(image.size) / _BLUR_AT
    return _opaque(image).filter(ImageFilter.GaussianBlur(sigma))


def _crops(image: Image.Image) -> list[Image.Image]:
    width, height = round(image.width * _MILD), round(image.height * _MILD)
    corners = [(x, y) for x in (0, image.width - width) for y in (0, image.height - height)]
    return [image.crop((x, y, x + width, y + height)) for x, y in corners]


def _opaque(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands():
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
