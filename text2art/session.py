"""A session: settings become a scene, the scene becomes frames."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch
from typing_extensions import Self

from text2art import (
    __version__,
    loop,
    optimizers,
    palettes,
    prompts,
    stages,
    starts,
)
from text2art.checkpoint import Checkpoint, copied, reading, whole
from text2art.core import Drawer, Frame, Loss
from text2art.errors import CheckpointError
from text2art.inits import Init
from text2art.loop import Pull
from text2art.media.load import read_source
from text2art.models import Models, NotedNetworks
from text2art.motion import Motion
from text2art.perceptors.ensemble import Ensemble
from text2art.prompts import Prompt
from text2art.runtime import memory_errors, pick
from text2art.scene import Scene
from text2art.settings import MAX_SEED, Settings
from text2art.streams import Streams
from text2art.styles.chosen import parse_styles, styled
from text2art.workshop import Supplies, Workshop


class Session:
    """One drawing, from settings to the last frame.

    Sessions share nothing but the frozen networks of `models`; any number may be open at once.

    Attributes:
        settings: the settings as resolved: seed drawn, perceptors named, chunk fitted to memory.
        notices: what the user should know (unknown words, cut prompts, the choice of perceptor).
        ensemble: the perceptors that look.
        models: the cache that they came from.
        seconds: time spent drawing so far, that of the caller between frames and of pictures drawn
            together with it included.
        closed: whether it was told to stop.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: Models | None = None,
        extra_losses: Sequence[Loss] = (),
        checkpoint: Checkpoint | None = None,
        further: bool = True,
        company: int = 1,
    ) -> None:
        """Set up a drawing.

        Args:
            settings: of the run.
            models: a cache of loaded models; by default they are loaded for this session.
            extra_losses: losses of the caller's own, beside those of the settings.
            checkpoint: of a drawing to go on from.
            further: whether its picture is drawn on in a run with settings of its own, whose
                iterations are further ones; otherwise it goes on as if it had never been broken
                off: see `resume`.
            company: how many pictures are drawn together, this one among them: see `together`.

        Raises:
            CheckpointError: it is damaged, or other models are here, or these settings cannot draw
                on its picture.
        """
        self._company = company
        self._set_up(settings, models, extra_losses)
        taking_over = reading() if checkpoint is not None else nullcontext()
        with memory_errors("setting up the picture"), taking_over:
            self._init = Init(self.settings)
            # From one picture, all starts are one.
            self._count = self.settings.starts_tried if self._init.size is None else 1
            self._workshop = self._make_workshop(extra_losses)
            if checkpoint is None:
                self._make_play(self._planned(range(self._count)))
            elif further:
                self._make_play(self._planned([0]), checkpoint.made)
                self._draw_on(checkpoint)
            else:
                self._go_on(checkpoint)

    @classmethod
    def resume(
        cls,
        checkpoint: Checkpoint,
        *,
        models: Models | None = None,
        extra_losses: Sequence[Loss] = (),
    ) -> Self:
        """Return a drawing that goes on as if it had never been broken off.

        On a CPU with the same version of torch it ends with the same bits. Films made of it lack
        the frames that were shown before.

        Args:
            checkpoint: what `checkpoint` gave.
            models: a cache of loaded models; by default they are loaded for this session.
            extra_losses: losses of the caller's own, as they were.

        Raises:
            CheckpointError: it is damaged, or other models are here.
        """
        settings = checkpoint.settings
        return cls(
            settings, models=models, extra_losses=extra_losses, checkpoint=checkpoint, further=False
        )

    def _set_up(
        self, settings: Settings, models: Models | None, extra_losses: Sequence[Loss]
    ) -> None:
        """Read what is to be drawn, and load what it takes."""
        self.models = models or Models(pick())
        self._extra_losses = extra_losses
        colors = palettes.parse_palette(settings.palette, read=read_source)
        self._palette = torch.tensor(colors, dtype=torch.float32) / 255 if colors else None
        self.notices: list[str] = []
        seed = secrets.randbelow(MAX_SEED) if settings.seed is None else settings.seed
        settings = settings.chosen(seed)
        styles = parse_styles(settings.styles)
        self._story = [styled(told, styles) for told in settings.story]
        with memory_errors("loading the models"):
            ensemble = self.models.ensemble(settings.perceptor, settings.preset)
        self.settings = settings.changed(perceptor=_spelled(ensemble, settings))
        self.ensemble = ensemble
        # What is in several scenes is said once.
        self._say_what_is_used(tuple(dict.fromkeys(p for told in self._story for p in told)))
        self._networks = NotedNetworks(self.models)
        self._streams = Streams(seed)
        self.closed = False
        self._drawing: Generator[Frame | Pull] | None = None
        self._beside = 1  # starts that are drawn side by side; those of a checkpoint say so
        self.seconds = 0.0

    def _make_play(self, scenes: list[Scene], begin: int = 0) -> None:
        """Put the stages together, when all that they need is there.

        Args:
            scenes: to start from.
            begin: updates made in another drawing that this one goes on from.
        """
        for text in dict.fromkeys(self._workshop.guidance.words()):
            self.notices.extend(self.ensemble.notices(text))
        planned = stages.plan(self.settings, len(self._story), self._init.pictures)
        self._motion = Motion(self.settings, len(planned))
        if begin:
            self._count = 1
            planned = stages.further(planned, begin)
            scenes = [replace(s, begin=begin, since=planned[0].since) for s in scenes]
        self._play = stages.Play(
            self.settings,
            planned,
            scenes,
            self._count,
            self._workshop.glances,
            self._beside,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing. What was drawn stays available."""
        self.closed = True
        if self._drawing is not None:
            self._drawing.close()

    @property
    def scene(self) -> Scene:
        """What the loop runs on."""
        return self._play.scene

    @property
    def drawer(self) -> Drawer:
        """The drawer, for results beyond pixels (`CellSource`, `SvgSource`)."""
        return self._play.scene.drawer

    @property
    def steps(self) -> int:
        """Updates in the whole run: those of all scenes of a story and pictures of an animation."""
        return self._play.steps

    @property
    def made(self) -> int:
        """Updates made so far, those of tryouts and of the drawing it goes on from included."""
        return self._play.made

    @property
    def begin(self) -> int:
        """Updates of the drawing that this one goes on from; 0 for one of its own."""
        return self._play.begin

    @property
    def tryouts(self) -> int:
        """How many frames show starts that may be given up; no film shows them."""
        return self._play.tryouts

    @property
    def film_length(self) -> int:
        """How many frames films show, the result among them."""
        return self._play.film_length

    def shows(self, frame: Frame) -> bool:
        """Whether a frame is one of the pictures to show or keep on the way, or the result.

        Every `display_every` steps, but of an animation the pictures of its film.
        """
        every = self.settings.display_every
        if frame.final or not every:
            return frame.final
        return frame.filmed if self._play.animated else frame.is_due(every)

    # ---- drawing ---------------------------------------------------------------------------

    def frames(self) -> Generator[Frame]:
        """Draw; yield the picture before each update and, at last, the result (`final`).

        Close the generator (or the session) to cancel: the drawer keeps the last picture.
        """
        self._drawing = frames = loop.pulled(self.course())
        return frames

    def course(self) -> Generator[Frame | Pull]:
        """Draw as `frames` does, for whoever pulls several sessions together: see `together`."""
        if self._drawing is not None:
            raise RuntimeError("a session draws once: open another one to draw again")
        self._drawing = course = self._draw()
        return course

    def _draw(self) -> Generator[Frame | Pull]:
        started = time.perf_counter() - self.seconds
        running = self._play.frames(self._enter)
        while True:
            with memory_errors("drawing"):
                made = next(running, None)
            if made is None:
                return
            if not isinstance(made, Pull):
                self.seconds = time.perf_counter() - started
            yield made

    def snapshot(self) -> Frame:
        """Return the result so far: of the best parameters if those are kept, else the last.

        Good after a cancel, too; the last frame of `frames()` is this one.
        """
        with memory_errors("drawing"):
            return self._play.snapshot()

    def checkpoint(self) -> Checkpoint:
        """Return all that it takes to go on from here, as a copy.

        To be asked for between two frames. A snapshot that brought better parameters back is where
        it goes on from: make the checkpoint first.
        """
        chunks = self.scene.chunks
        state = {
            "made": self._play.made,
            "begin": self._play.begin,
            "size": list(self.settings.canvas_size(self._init.size)),
            "play": self._play.memory(),
            "streams": self._streams.states(),
            "chunks": {"size": chunks.size, "tried": list(chunks.tried)},
            "seconds": self.seconds,
        }
        return Checkpoint(self.record(), copied(state))

    def _go_on(self, checkpoint: Checkpoint) -> None:
        """Go to where another session of the same settings had got to."""
        state, begin = checkpoint.state, whole(checkpoint.state["begin"])
        chosen = 0 if begin else state["play"]["chosen"]
        if chosen is not None:  # the other starts were given up
            chosen = whole(chosen, 0, self._count - 1)
        numbers = range(self._count) if chosen is None else [chosen]
        self._make_play(self._workshop.scenes(numbers), begin)
        record = self.record()
        checkpoint.require_same_models(record)
        self._play.recall_(state["play"], self._workshop.restage)
        self._streams.restore_(state["streams"])
        chunks = state["chunks"]
        size = chunks["size"]
        self.scene.chunks.size = None if size is None else whole(size, 1)
        self.scene.chunks.tried = [whole(tried, 1) for tried in chunks["tried"]]
        self.seconds = float(state["seconds"])
        for what in ("torch", "device"):
            then = str(checkpoint.facts.get(what))[:40]
            if then != record[what]:
                self.notices.append(
                    f"begun with {what} {then}, gone on with {record[what]}: details may differ"
                )

    def _draw_on(self, checkpoint: Checkpoint) -> None:
        """Take over the picture of another drawing, and what its optimizer knows."""
        then, now = checkpoint.settings, self.settings
        if then.drawer != now.drawer:
            raise CheckpointError(f"the checkpoint does not fit: its drawer is {then.drawer}")
        with reading():
            width, height = checkpoint.state["size"]
            if (width, height) != now.canvas_size(self._init.size):
                raise CheckpointError(f"the checkpoint does not fit: it is {width}x{height}")
            known = checkpoint.state["play"]["scenes"]
            known = known[starts.start_in(checkpoint.state["play"]["trial"], len(known))]
            stages.restore_drawer_(self.scene, known, optimizer=then.optimizer == now.optimizer)

    def record(self) -> dict[str, Any]:
        """Return what is needed to draw this picture again, as plain values."""
        chosen = parse_styles(self.settings.styles)
        words = {choice.style.name: choice.style.words for choice in chosen}
        return {
            "version": __version__,
            "settings": self.settings.given(),
            "seed": self.settings.seed,
            **({"styles": words} if words else {}),
            "perceptors": [
                {"name": p.name, "weight": w, "sha256": p.digest} for p, w in self.ensemble
            ],
            "networks": [{"name": n, "sha256": d} for n, d in self._networks.used.items()],
            **self._own_losses(),
            **({"together": self._company} if self._company > 1 else {}),
            "device": self.models.runtime.device.type,
            "torch": str(torch.__version__),
        }

    def _own_losses(self) -> dict[str, Any]:
        """Name the losses of the caller's own, which settings cannot bring back."""
        names = [{"name": loss.name, "weight": loss.weight} for loss in self._extra_losses]
        return {"extra_losses": names} if names else {}

    # ---- setting up ------------------------------------------------------------------------

    def _make_workshop(self, extra_losses: Sequence[Loss]) -> Workshop:
        supplies = Supplies(
            models=self.models,
            ensemble=self.ensemble,
            networks=self._networks,
            streams=self._streams,
            palette=self._palette,
            story=self._story,
            init=self._init,
            extra_losses=extra_losses,
            company=self._company,
        )
        return Workshop(self.settings, supplies, self.notices.append)

    def _planned(self, numbers: Iterable[int]) -> list[Scene]:
        """Return the scenes of some starts, fitted to the memory that there is."""
        scenes = self._workshop.scenes(numbers)
        self._beside = self._workshop.beside(scenes[0], len(scenes))
        chunk = self._workshop.plan_memory_(scenes[0], self._beside)
        if chunk is not None:
            self.settings = self.settings.changed(chunk=chunk)
        return scenes

    def _say_what_is_used(self, parsed: tuple[Prompt, ...]) -> None:
        names = ", ".join(self.ensemble.names)
        self.notices.append(f"perceptor: {names} ({self.ensemble.choice})")
        self.notices.extend(prompts.number_notices(parsed))
        for prompt in parsed:
            if not prompt.is_image:
                self.notices.extend(self.ensemble.notices(prompt.text))

    def _enter(self, stage: stages.Stage, scene: Scene) -> Scene:
        """Lead the drawer into a later stage; return the stage's scene."""
        drawer = scene.drawer
        if stage.picture and self.settings.animation_dir:
            self._init.go_on_(drawer, stage.picture, self._workshop.canvas)
        elif stage.picture:
            self._motion.move_(drawer, stage.picture)
        optimizers.forget_direction_(scene.optimizer)
        return self._workshop.restage(stage, scene)


def _spelled(ensemble: Ensemble, settings: Settings) -> str:
    if settings.perceptor.strip().lower() != "auto":
        return settings.perceptor
    return ",".join(ensemble.names)
