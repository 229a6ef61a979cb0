"""A session: settings become a scene, the scene becomes frames."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any

import torch
from typing_extensions import Self

from text2art import __version__, loop, memory, palettes, prompts, registry, schedules, starts
from text2art.chunks import Chunks
from text2art.core import Canvas, Drawer, Frame, Loss, Net, Scene
from text2art.inits import Init
from text2art.losses.prompt import PromptLoss, Target
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.models import Models
from text2art.perceptors.ensemble import Ensemble
from text2art.prompts import Prompt
from text2art.runtime import free_memory, memory_errors, pick, stream
from text2art.settings import MAX_SEED, Settings
from text2art.stopping import Watch


class Session:
    """One drawing, from settings to the last frame.

    Sessions share nothing but the frozen networks of `models`; any number may be open at once.

    Attributes:
        settings: the settings as resolved: seed drawn, perceptors named, chunk fitted to memory.
        notices: what the user should know (unknown words, cut prompts, the choice of perceptor).
        drawer: the drawer, for results beyond pixels (`CellSource`, `SvgSource`).
        scene: what the loop runs on.
        ensemble: the perceptors that look.
        models: the cache that they came from.
        seconds: time spent drawing so far, that of the caller between frames included.
    """

    def __init__(self, settings: Settings, *, models: Models | None = None) -> None:
        self.models = models or Models(pick())
        self.notices: list[str] = []
        parsed = prompts.parse_prompts(settings.prompts)
        seed = secrets.randbelow(MAX_SEED) if settings.seed is None else settings.seed
        with memory_errors("loading the models"):
            ensemble = self.models.ensemble(settings.perceptor, settings.preset)
        self.settings = settings.changed(seed=seed, perceptor=_spelled(ensemble, settings))
        self.ensemble = ensemble
        self._say_what_is_used(parsed)
        self._networks: dict[str, str] = {}
        with memory_errors("setting up the picture"):
            self._scenes = self._make_scenes(parsed, seed)
            self._plan_memory()
        count = len(self._scenes)
        self._tryouts = count * starts.length_of(count, self.settings.steps)
        self._use(self._scenes[0])
        self._frames: Generator[Frame] | None = None
        self._made = 0
        self.seconds = 0.0

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
        if self._frames is not None:
            self._frames.close()

    @property
    def tryouts(self) -> int:
        """How many frames show starts that may be given up; no film shows them."""
        return self._tryouts

    @property
    def _cuts(self) -> int:
        return self.settings.cuts_for(max(perceptor.size for perceptor, _ in self.ensemble))

    def _use(self, scene: Scene) -> None:
        self.scene, self.drawer = scene, scene.drawer
        self._watch = Watch(self.settings, scene)

    # ---- drawing ---------------------------------------------------------------------------

    def frames(self) -> Generator[Frame]:
        """Draw; yield the picture before each update and, at last, the result (`final`).

        Close the generator (or the session) to cancel: the drawer keeps the last picture.
        """
        if self._frames is not None:
            raise RuntimeError("a session draws once: open another one to draw again")
        self._frames = self._draw()
        return self._frames

    def _draw(self) -> Generator[Frame]:
        started = time.perf_counter()
        running = self._run()
        while True:
            with memory_errors("drawing"):
                frame = next(running, None)
            if frame is None:
                break
            self._made = frame.step + 1
            over = not frame.tryout and self._watch.over(frame)
            self.seconds = time.perf_counter() - started
            yield frame
            if over:
                break
        last = self.snapshot()
        self.seconds = time.perf_counter() - started
        yield last

    def _run(self) -> Iterator[Frame]:
        """Try the starts, then draw on with the best."""
        trying = starts.try_starts(self._scenes, self.settings.steps)
        while True:
            try:
                start, frame = next(trying)
            except StopIteration as chosen:
                start = chosen.value
                break
            if start.scene is not self.scene:
                self._use(start.scene)
            yield frame
        self._use(start.scene)
        self._scenes = [start.scene]  # the others' memory is free again
        yield from start.frames

    def snapshot(self) -> Frame:
        """Return the result so far: of the best parameters if those are kept, else the last.

        Good after a cancel, too; the last frame of `frames()` is this one.
        """
        self._watch.restore_best()
        with memory_errors("drawing"):
            return loop.look(self.scene, self._made, self.settings.steps, final=True)

    def record(self) -> dict[str, Any]:
        """Return what is needed to draw this picture again, as plain values."""
        return {
            "version": __version__,
            "settings": self.settings.given(),
            "seed": self.settings.seed,
            "perceptors": [
                {"name": p.name, "weight": w, "sha256": p.digest} for p, w in self.ensemble
            ],
            "networks": [{"name": n, "sha256": d} for n, d in self._networks.items()],
            "device": self.models.runtime.device.type,
            "torch": str(torch.__version__),
        }

    # ---- setting up ------------------------------------------------------------------------

    def _say_what_is_used(self, parsed: tuple[Prompt, ...]) -> None:
        names = ", ".join(self.ensemble.names)
        self.notices.append(f"perceptor: {names} ({self.ensemble.choice})")
        self.notices.extend(prompts.number_notices(parsed))
        for prompt in parsed:
            if not prompt.is_image:
                self.notices.extend(self.ensemble.notices(prompt.text))

    def _make_drawers(self, seed: int | str, init: Init) -> list[Drawer]:
        # From one picture, all starts are one.
        count = self.settings.starts_tried if init.size is None else 1
        return [self._make_drawer(seed, number, init) for number in range(count)]

    def _make_drawer(self, seed: int | str, number: int, init: Init) -> Drawer:
        s = self.settings
        own = f"start {number}/" if number else ""
        width, height = s.canvas_size(init.size)
        colors = palettes.parse_palette(s.palette)
        canvas = Canvas(
            width=width,
            height=height,
            device=self.models.runtime.device,
            stream=lambda purpose: stream(seed, own + purpose),
            palette=torch.tensor(colors, dtype=torch.float32) / 255 if colors else None,
            network=self._network,
        )
        build = registry.find("drawers", s.drawer).load()
        drawer: Drawer = build(canvas, s.options(s.drawer))
        drawer.to(canvas.device)
        init.start_(drawer, width, height, canvas.device)
        return drawer

    def _network(self, key: str, load: Callable[[], Net], /) -> Net:
        """Take a network from the models, and note that this picture depends on it."""
        net = self.models.network(key, load)
        self._networks[str(getattr(net, "name", key))] = str(getattr(net, "digest", ""))
        return net

    def _make_scenes(self, parsed: tuple[Prompt, ...], seed: int | str) -> list[Scene]:
        s = self.settings
        init = Init(s)
        build = registry.find("cutouts", s.cutouts).load()
        cutouts = build(s.options(s.cutouts), self._cuts, seed)
        chunks = Chunks(s.chunk, self.notices.append)
        losses: list[Loss] = []
        for i, prompt in enumerate(parsed, start=1):
            name = f"prompt {i}"
            losses.append(PromptLoss(name, self._targets(prompt), prompt.weight, prompt.stop))
        for name, weight in s.losses.items():
            losses.append(registry.find("losses", name).load()(weight, s.options(name)))
        factors: Mapping[str, schedules.Factor] = {
            "drops": schedules.drops_at(s.learning_rate_drops),
            "cosine": schedules.cosine,
            "constant": schedules.constant,
        }
        protection = init.protection(*s.canvas_size(init.size), self.models.runtime.device)
        return [
            Scene(
                drawer=drawer,
                cutouts=cutouts,
                losses=[*losses, *init.losses(drawer)],
                optimizer=torch.optim.Adam(drawer.groups()),  # type: ignore[arg-type]
                schedule=schedules.RateSchedule(factors[s.schedule], s.learning_rate),
                filters=protection,
                chunks=chunks,
            )
            for drawer in self._make_drawers(seed, init)
        ]

    def _plan_memory(self) -> None:
        """Choose how many looks perceptors see at a time, unless that is set, and say it."""
        scene = self._scenes[0]
        perceptors = [perceptor for perceptor, _ in self.ensemble]
        free = free_memory(self.models.runtime.device)
        if self.settings.chunk is not None or free is None:
            return
        sizes = sorted({perceptor.size for perceptor in perceptors})
        fitting = memory.choose_chunk(
            self._cuts,
            perceptors,
            self.models.crop_bytes,
            lambda: memory.picture_bytes(scene, sizes),
            free,
        )
        if fitting is None:
            return
        scene.chunks.size = size = max(1, fitting)
        self.settings = self.settings.changed(chunk=size)
        names = " and ".join(self.ensemble.names)
        doubt = "" if fitting else ", and even that may be too many"
        self.notices.append(
            f"memory: looks go through {names} {size} at a time ({free / 1e9:.1f} GB free){doubt}"
        )

    def _targets(self, prompt: Prompt) -> list[Target]:
        with torch.no_grad():
            if not prompt.is_image:
                return [Target(p, w, p.read([prompt.text])) for p, w in self.ensemble]
            picture = load_picture(prompt.text)
            targets = []
            for perceptor, weight in self.ensemble:
                tensor = to_tensor(picture, perceptor.size, perceptor.size)[:, :3]
                seen = perceptor.see(tensor.to(self.models.runtime.device))
                targets.append(Target(perceptor, weight, seen))
            return targets


def _spelled(ensemble: Ensemble, settings: Settings) -> str:
    if settings.perceptor.strip().lower() != "auto":
        return settings.perceptor
    return ",".join(ensemble.names)
