"""The workshop: settings become the scenes that a run is drawn in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from text2art import memory, optimizers, parts, registry, schedules, starts
from text2art.abilities import SeesPatches
from text2art.chunks import Chunks
from text2art.core import Canvas, Context, Drawer, Loss
from text2art.cutouts.backdrops import Backdrops
from text2art.errors import SettingsError
from text2art.guidance import Guidance, sights_of
from text2art.inits import Init
from text2art.looks import Cutouts
from text2art.losses.opacity import OpacityLoss
from text2art.models import Models, NotedNetworks
from text2art.overlay import overlay_of
from text2art.perceptors.ensemble import Ensemble
from text2art.prompts import Prompt
from text2art.runtime import free_memory
from text2art.scene import Scene
from text2art.settings import Settings
from text2art.sights import Place
from text2art.stages import Stage
from text2art.streams import Streams


@dataclass(frozen=True)
class Supplies:
    """What scenes are made of.

    Attributes:
        models: frozen networks, and where they compute.
        ensemble: the perceptors that look.
        networks: gives drawers their networks, and notes which.
        streams: gives drawers their random numbers.
        palette: `(K, 3)` colors in [0, 1] to be used, or None for any.
        story: the prompts of each scene of the story.
        init: what the picture starts from.
        extra_losses: losses of the caller's own.
        company: how many pictures are drawn together, this one among them.
    """

    models: Models
    ensemble: Ensemble
    networks: NotedNetworks
    streams: Streams
    palette: Tensor | None
    story: Sequence[Sequence[Prompt]]
    init: Init
    extra_losses: Sequence[Loss]
    company: int = 1


class Workshop:
    """Makes the scenes of one run; those of one stage share all but the drawer.

    Attributes:
        canvas: of the first start.
        guidance: what makes losses of all that is asked for.
        glances: how starts are looked at while they are tried.
    """

    def __init__(
        self, settings: Settings, supplies: Supplies, report: Callable[[str], object]
    ) -> None:
        """Read what all scenes share.

        Args:
            settings: of the run, its seed drawn.
            supplies: what it takes.
            report: is told in words what the user should know.
        """
        assert settings.seed is not None
        self._settings, self._supplies, self._report = settings, supplies, report
        self.canvas = self._make_canvas(0)
        self._cuts = settings.cuts_for(max(p.size for p, _ in supplies.ensemble))
        self._sizes = sorted({perceptor.size for perceptor, _ in supplies.ensemble})
        self._make_cutouts = partial(_make_cutouts, settings, self._cuts)
        self.glances = _make_cutouts(settings, starts.looks_of(self._cuts), settings.seed)
        self._say_who_sees_all()
        self.guidance = self._make_guidance(settings.seed)
        self._guides = [self.guidance.of_prompts(told) for told in supplies.story]
        self._losses = self.guidance.of_other_kinds()
        if settings.transparent and settings.transparent_weight:
            self._losses.append(OpacityLoss(settings.transparent_weight))
        self._filters = parts.make_filters(settings, self.canvas)
        self._losses += self._filters.losses
        wanted, notices = parts.without_edges(settings.losses, self._filters.looking)
        for notice in notices:
            report(notice)
        others = [*self._losses, *(loss for guides in self._guides for loss in guides)]
        self._losses += parts.make_losses(
            settings,
            wanted,
            Context(self.canvas, supplies.ensemble.members),
            extra=supplies.extra_losses,
            others=others,
        )

    def scenes(self, numbers: Iterable[int]) -> list[Scene]:
        """Return the scenes of some starts, alike but for their random numbers."""
        s, canvas = self._settings, self.canvas
        assert s.seed is not None
        cutouts = self._make_cutouts(s.seed)
        chunks = Chunks(s.chunk, self._report)
        size = (canvas.width, canvas.height)
        protection = self._supplies.init.protection(*size, canvas.device)
        overlay = overlay_of(s, *size, canvas.device)
        scenes = []
        for number in numbers:
            drawer = self._make_drawer(self._make_canvas(number))
            optimizer = optimizers.make(s.optimizer, drawer.groups())
            edits = [] if overlay is None else [partial(overlay.edit, drawer, optimizer)]
            scenes.append(
                Scene(
                    drawer=drawer,
                    cutouts=cutouts,
                    losses=self._losses_of(drawer),
                    optimizer=optimizer,
                    schedule=schedules.schedule_of(s),
                    filters=[*self._filters.changing, *protection],
                    look_filters=self._filters.looking,
                    chunks=chunks,
                    passes=s.batches,
                    token_drop=s.token_drop,
                    edits=edits,
                )
            )
        return scenes

    def restage(self, stage: Stage, scene: Scene) -> Scene:
        """Return the scene of a later stage, whose drawer is where it is to start."""
        return replace(
            scene,
            losses=self._losses_of(scene.drawer, stage.scene),
            schedule=schedules.schedule_of(self._settings),
            since=stage.since,
            begin=stage.begin,
        )

    def beside(self, scene: Scene, count: int) -> int:
        """Return how many of so many starts like this one are drawn side by side."""
        if count < 2:
            return 1
        size = memory.picture_bytes(scene, self._sizes)
        return starts.together(count, self._cuts, size, self._supplies.company)

    def plan_memory_(self, scene: Scene, beside: int = 1) -> int | None:
        """Choose how many looks perceptors see at a time, unless that is set, and say it.

        Args:
            scene: of a start.
            beside: how many starts are drawn side by side while they are tried.

        Returns:
            what was chosen; None where there was nothing to choose.
        """
        supplies = self._supplies
        perceptors = [perceptor for perceptor, _ in supplies.ensemble]
        free = free_memory(self.canvas.device)
        if self._settings.chunk is not None or free is None:
            return None
        sights = sights_of(scene.losses)  # each has looks of its own, which stay to the end
        each = supplies.company * sights
        fitting = memory.choose_chunk(
            max(self._cuts, beside * starts.looks_of(self._cuts)) * each,
            perceptors,
            supplies.models.crop_bytes,
            lambda: each * beside * memory.picture_bytes(scene, self._sizes),
            free,
        )
        if fitting is None:
            return None
        scene.chunks.size = size = max(1, fitting)
        names = " and ".join(supplies.ensemble.names)
        doubt = "" if fitting else ", and even that may be too many"
        self._report(
            f"memory: looks go through {names} {size} at a time ({free / 1e9:.1f} GB free){doubt}"
        )
        return size

    def _say_who_sees_all(self) -> None:
        """Name the perceptors that leave no patches out although that is asked for."""
        whole = [
            perceptor.name
            for perceptor, _ in self._supplies.ensemble
            if not (isinstance(perceptor, SeesPatches) and perceptor.patches)
        ]
        if self._settings.token_drop and whole:
            self._report(
                f"token_drop: {', '.join(whole)} leaves nothing out: no vision transformer"
            )

    def _losses_of(self, drawer: Drawer, scene: int = 0) -> list[Loss]:
        """Return all losses of a scene of the story; the last ones look at the drawer itself."""
        labels = self.guidance.of_image_labels(drawer)
        held = self._supplies.init.losses(drawer)
        return [*self._guides[scene], *self._losses, *labels, *held]

    def _make_canvas(self, number: int) -> Canvas:
        """Return the canvas of a start."""
        settings, supplies = self._settings, self._supplies
        own = f"start {number}/" if number else ""
        width, height = settings.canvas_size(supplies.init.size)
        return Canvas(
            width=width,
            height=height,
            device=supplies.models.runtime.device,
            stream=lambda purpose: supplies.streams(own + purpose),
            palette=supplies.palette,
            network=supplies.networks,
            transparent=settings.transparent,
        )

    def _make_drawer(self, canvas: Canvas) -> Drawer:
        settings = self._settings
        build = registry.find("drawers", settings.drawer).load()
        if settings.transparent and not getattr(build, "has_alpha", False):
            raise SettingsError(
                f"the drawer {settings.drawer!r} cannot draw transparent pictures: use one of "
                f"{', '.join(_drawers_with_alpha())}, or leave out transparent"
            )
        drawer: Drawer = build(canvas, settings.options(settings.drawer))
        drawer.to(canvas.device)
        self._supplies.init.start_(drawer, canvas)
        return drawer

    def _make_guidance(self, seed: int | str) -> Guidance:
        """Return what makes losses of all that is asked for."""
        canvas, make = self.canvas, self._make_cutouts
        return Guidance(
            self._settings,
            self._supplies.ensemble,
            Place(canvas.width, canvas.height, canvas.device),
            lambda purpose: make(f"{seed}/{purpose}"),
            self._report,
        )


def _make_cutouts(settings: Settings, cuts: int, seed: int | str) -> Cutouts:
    """Return cutouts that depend on nothing but these; of no session, which they would keep."""
    build = registry.find("cutouts", settings.cutouts).load()
    cutouts: Cutouts = build(settings.options(settings.cutouts), cuts, seed)
    return Backdrops(cutouts, seed) if settings.transparent else cutouts


def _drawers_with_alpha() -> list[str]:
    there = registry.components("drawers")
    return [name for name, one in there.items() if getattr(one.load(), "has_alpha", False)]
