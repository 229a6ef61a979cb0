"""What is asked for, of whatever kind, as losses: prompts, pictures, spots, labels, vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art import vectors
from text2art.abilities import Composing, LatentSource
from text2art.core import Drawer, Loss, Perceptor
from text2art.errors import SettingsError
from text2art.looks import Cutouts, Sight
from text2art.losses.prompt import LatentLoss, PictureTarget, PromptLoss, Target
from text2art.media.convert import to_tensor
from text2art.media.folder import matching
from text2art.media.load import load_picture
from text2art.perceptors.ensemble import Ensemble
from text2art.prompts import MAX_PROMPTS, Prompt
from text2art.prompts.expressions import Curve
from text2art.prompts.layout import arrange
from text2art.prompts.regions import Mask
from text2art.prompts.wordings import PLAIN, TEXTOFF, WRITING, label_texts
from text2art.runtime import stream
from text2art.settings import Settings
from text2art.sights import Place, Sights

VECTOR_SHARE = 0.1  # of a vector's weight, as in pixray: a direction is no picture to arrive at
Targets = Sequence[Target | PictureTarget]


class Guidance:
    """Turns what settings ask for into losses.

    Prompts that look at the same region share their looks, so each region costs them once.

    Args:
        settings: as resolved: seed drawn, choices made.
        ensemble: who looks.
        place: size and device of the picture.
        cutouts: builds the recipe with a seed of its own, for pictures with views of their own.
        say: takes what the user should know.
    """

    def __init__(
        self,
        settings: Settings,
        ensemble: Ensemble,
        place: Place,
        cutouts: Callable[[str], Cutouts],
        say: Callable[[str], object],
    ) -> None:
        self._settings, self._ensemble, self._place = settings, ensemble, place
        self._say = say
        self._sights = Sights(place, cutouts, settings.image_fit)
        self._label_target: Tensor | None = None

    def of_prompts(self, prompts: Iterable[Prompt]) -> list[Loss]:
        """Return the losses of the prompts of a scene, in order."""
        prompts = list(prompts)
        arranged = self._arranged(prompts)
        regions = [prompt.region for prompt in arranged or prompts]
        one = self._sights.region
        sights = self._sights.of_parts(regions) if arranged else [one(r) for r in regions]
        losses: list[Loss] = []
        for number, (prompt, sight) in enumerate(zip(arranged or prompts, sights, strict=True), 1):
            targets = self._resembling(prompt) if prompt.is_image else self._reading(prompt)
            losses.append(self._loss(f"prompt {number}", targets, prompt, sight=sight))
        return losses

    def _arranged(self, prompts: Sequence[Prompt]) -> list[Prompt] | None:
        """Give things a place each that whoever looks would blend; None where nothing is to do.

        What the picture starts from has a layout of its own.
        """
        s = self._settings
        if not s.compose or s.init_image or s.animation_dir:
            return None
        aspect = self._place.width / self._place.height
        arranged = arrange(prompts, self._ensemble.subjects, aspect)
        if arranged is not None:
            told = " | ".join(str(prompt) for prompt in arranged)
            self._say(f"each thing in a place of its own (compose=0: as asked): {told}")
        return arranged

    def of_other_kinds(self) -> list[Loss]:
        """Return the losses of every other setting that asks for something, but image labels."""
        return _with_names_of_their_own(list(self._others()))

    def _others(self) -> Iterator[Loss]:
        s = self._settings
        for prompt in self._files("image_prompts"):
            looks = self._resembling(prompt, own_views=s.image_prompt_shuffle)
            name = f"image prompt {prompt.text}"
            yield self._loss(name, looks, prompt, s.image_prompt_weight)
        for prompt in self._files("target_images"):
            yield self._loss(f"target {prompt.text}", self._whole(prompt), prompt)
        for prompt in self._in_spot("spot_prompts", inside=True):
            yield self._loss(f"spot {prompt.text}", self._reading(prompt), prompt)
        for prompt in self._in_spot("spot_prompts_off", inside=False):
            yield self._loss(f"off the spot {prompt.text}", self._reading(prompt), prompt)
        for prompt in s.asked("labels"):
            yield self._loss(f"label {prompt.text}", self._label(prompt), prompt)
        for prompt in s.asked("vector_prompts"):
            name, targets = f"vector {prompt.text}", self._vector(prompt)
            if targets:
                yield self._loss(name, targets, prompt, VECTOR_SHARE, scored=False)
        for prompt in s.asked("noise_prompts"):
            yield self._loss(f"noise {prompt.text}", self._noise(prompt), prompt, scored=False)

    def of_image_labels(self, drawer: Drawer) -> list[Loss]:
        """Return the loss of `image_labels` for a drawer, when there are any.

        The target is the mean of the pictures' latents, each of unit length (`pixray.py` 836-852).

        Raises:
            SettingsError: the drawer has no latents.
        """
        s = self._settings
        prompts = self._files("image_labels")
        if not prompts:
            return []
        if not isinstance(drawer, LatentSource):
            raise SettingsError(
                f"image_labels need a drawer with latents, as vqgan, not {s.drawer!r}; "
                "image_prompts work with every drawer"
            )
        if self._label_target is None:  # the same for every start and stage
            self._label_target = self._mean_latents(drawer, drawer.latents, prompts)
        weight = s.image_label_weight
        return [LatentLoss("image labels", weight, drawer.latents, self._label_target)]

    @torch.no_grad()
    def _mean_latents(
        self, drawer: Drawer, latents: Callable[[], Tensor], prompts: Sequence[Prompt]
    ) -> Tensor:
        """Return the direction of pictures' mean latents; the drawer is left as it was."""
        before = {name: value.clone() for name, value in drawer.state_dict().items()}
        parts: list[Tensor] = []
        for prompt in prompts:
            self._refuse_course(prompt, "image_labels")
            picture = to_tensor(load_picture(prompt.text), self._place.width, self._place.height)
            drawer.fit_(picture[:, :3].to(self._place.device))
            parts.append(prompt.weight_at(0, 0) * F.normalize(latents().flatten(), dim=0))
        drawer.load_state_dict(before)
        return F.normalize(torch.stack(parts).sum(0), dim=0)

    def words(self) -> list[str]:
        """Return every text that perceptors are to read for the settings beyond `prompts`."""
        s = self._settings
        names = ("spot_prompts", "spot_prompts_off", "labels")
        texts = [prompt.text for name in names for prompt in s.asked(name)]
        if any(prompt.text == TEXTOFF for prompt in s.asked("vector_prompts")):
            texts += [*PLAIN, *WRITING]
        return texts

    # ---- one loss --------------------------------------------------------------------------

    def _loss(
        self,
        name: str,
        targets: Targets,
        prompt: Prompt,
        factor: float = 1.0,
        *,
        scored: bool = True,
        sight: Sight | None = None,
    ) -> Loss:
        sight = self._sights.region(prompt.region) if sight is None else sight
        course = None if prompt.is_constant else prompt.weight_at
        weight = factor * prompt.weight_at(0, 0) if course is None else factor
        if isinstance(prompt.weight, Curve):
            prompt.weight.check(self._settings.steps)
        return PromptLoss(
            name, targets, weight, prompt.stop, sight=sight, course=course, scored=scored
        )

    def _refuse_course(self, prompt: Prompt, setting: str) -> None:
        if not prompt.is_constant or prompt.region or math.isfinite(prompt.stop):
            raise SettingsError(
                f"{setting}: {str(prompt)!r} has a window, region, curve or stop: here a picture "
                "has a weight alone"
            )

    # ---- where to go -----------------------------------------------------------------------

    def _in_spot(self, name: str, *, inside: bool) -> list[Prompt]:
        given = self._settings.spot_mask.strip()
        inverted = given.startswith("!")
        spot = Mask(given.removeprefix("!").strip(), inverted=inverted == inside)
        prompts = self._settings.asked(name)
        for prompt in prompts:
            if prompt.region is not None:
                raise SettingsError(
                    f"{name}: {str(prompt)!r} has a region of its own: write it into prompts"
                )
        return [replace(prompt, region=spot) for prompt in prompts]

    def _each(self, embed: Callable[[Perceptor], Tensor]) -> list[Target]:
        with torch.no_grad():
            return [
                Target(perceptor, weight, embed(perceptor).to(self._place.device))
                for perceptor, weight in self._ensemble
            ]

    def _reading(self, prompt: Prompt) -> list[Target]:
        strength = self._settings.compose
        away = prompt.weight_at(0, 0) < 0  # what is pushed away is meant wherever it may be

        def read(perceptor: Perceptor) -> Tensor:
            if strength and not away and isinstance(perceptor, Composing):
                return perceptor.aim(prompt.text, strength)
            return perceptor.read([prompt.text])

        return self._each(read)

    def _label(self, prompt: Prompt) -> list[Target]:
        texts = label_texts(prompt.text)
        return self._each(lambda p: F.normalize(p.read(texts).mean(0, keepdim=True), dim=-1))

    def _whole(self, prompt: Prompt) -> list[Target]:
        return self._each(lambda p: vectors.whole(p, prompt.text, self._place.device))

    def _noise(self, prompt: Prompt) -> list[Target]:
        def draw(perceptor: Perceptor) -> Tensor:
            numbers = stream(prompt.text, f"noise prompt/{perceptor.name}")
            shape = (1, vectors.dimensions(perceptor))
            return F.normalize(torch.randn(shape, generator=numbers), dim=-1)

        return self._each(draw)

    def _vector(self, prompt: Prompt) -> list[Target]:
        if prompt.text == TEXTOFF:
            return self._each(vectors.textoff)
        file = vectors.Vectors(prompt.text)
        targets = []
        for perceptor, weight in self._ensemble:
            found = file.of(perceptor)
            if found is None:
                self._say(
                    f"vector {prompt.text!r} is not for {perceptor.name}: left out there (it is "
                    f"for {', '.join(file.names[:8]) or 'none'})"
                )
                continue
            if file.is_of_another(perceptor):
                self._say(f"vector {prompt.text!r} was made with other weights of {perceptor.name}")
            targets.append(Target(perceptor, weight, found.to(self._place.device)))
        return targets

    def _resembling(self, prompt: Prompt, *, own_views: bool = False) -> list[PictureTarget]:
        sight = self._sights.picture(prompt.text, own_views=own_views)
        return [PictureTarget(perceptor, weight, sight) for perceptor, weight in self._ensemble]

    def _files(self, name: str) -> list[Prompt]:
        """Return the prompts of a setting whose names are files, patterns replaced by files."""
        found = [
            replace(prompt, text=text)
            for prompt in self._settings.asked(name)
            for text in matching(prompt.text, name)
        ]
        if len(found) > MAX_PROMPTS:
            raise SettingsError(
                f"{name}: {len(found)} pictures were given, at most {MAX_PROMPTS} are accepted"
            )
        return found


def sights_of(losses: Iterable[Loss]) -> int:
    """Return how many parts of the picture, the whole one included, prompts look at."""
    return max(1, len({loss.sight for loss in losses if isinstance(loss, PromptLoss)}))


def _with_names_of_their_own(losses: Sequence[Loss]) -> list[Loss]:
    """Number losses of one name: terms are reported by name."""
    counts: dict[str, int] = {}
    for loss in losses:
        counts[loss.name] = counts.get(loss.name, 0) + 1
        if counts[loss.name] > 1:
            loss.name = f"{loss.name} ({counts[loss.name]})"
    return list(losses)
