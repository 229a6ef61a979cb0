"""Stages: runs over one drawer, each going on from the picture that the last one left.

A plain picture is one stage. A story has one per scene; an animation, one per picture of its film.
Steps are counted through, so whoever follows the frames need not know of stages.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from text2art import loop, starts
from text2art.abilities import Remembering
from text2art.checkpoint import optimizer_state, restore_optimizer_, tensors_like, whole
from text2art.core import Frame
from text2art.errors import SettingsError
from text2art.looks import Cutouts
from text2art.loop import Pull
from text2art.scene import Scene
from text2art.settings import Settings
from text2art.stopping import Watch

MOST_STEPS = 200_000  # of a whole run
_LATE = 0.5  # progress at the first step of an animation's later pictures: forms are there by then


@dataclass(frozen=True)
class Stage:
    """A stretch of a run.

    Attributes:
        begin: steps of the stages before it.
        steps: updates in it.
        scene: which scene of the story it follows.
        picture: which picture of an animation it makes; 0 in all other runs.
        since: progress at its first step: 0 for what begins, more for what goes on.
    """

    begin: int
    steps: int
    scene: int = 0
    picture: int = 0
    since: float = 0.0


def plan(settings: Settings, scenes: int, pictures: int = 0) -> tuple[Stage, ...]:
    """Return the stages of a run.

    Each scene of a story has as many steps as a run of its own. An animation's first picture has
    those, too, and each further one has `animation_steps`; the scenes of a story share the pictures
    evenly.

    Args:
        settings: of the run.
        scenes: of the story, at least 1.
        pictures: of an animation; 0 or 1 for none.

    Raises:
        SettingsError: that would be more than `MOST_STEPS` steps, or an animation has fewer
            pictures than the story has scenes.
    """
    if 1 < pictures < scenes:
        raise SettingsError(
            f"the story has {scenes} scenes and the animation {pictures} pictures: some scenes "
            "would never be seen. Give it a picture for each, or tell fewer scenes"
        )
    stages: list[Stage] = []
    count = max(pictures, 1) if pictures > 1 else scenes
    for number in range(count):
        begin = stages[-1].begin + stages[-1].steps if stages else 0
        if pictures > 1:
            steps = settings.animation_steps if number else settings.steps
            since = _LATE if number else 0.0
            stages.append(Stage(begin, steps, number * scenes // count, number, since))
        else:
            stages.append(Stage(begin, settings.steps, number))
    whole = stages[-1].begin + stages[-1].steps
    if whole > MOST_STEPS:
        what = f"{pictures} pictures" if pictures > 1 else f"{scenes} scenes"
        raise SettingsError(
            f"{what} take {whole} steps, at most {MOST_STEPS} are accepted: use fewer iterations"
        )
    return tuple(stages)


def further(stages: Sequence[Stage], begin: int) -> tuple[Stage, ...]:
    """Return the stages of a run that goes on where another one had made so many updates."""
    later = [replace(stage, begin=begin + stage.begin) for stage in stages]
    return (replace(later[0], since=_LATE), *later[1:])


Enter = Callable[[Stage, Scene], Scene]


class Play:
    """A run through its stages.

    Attributes:
        scenes: the starts that are there to choose from; in the end, the chosen one.
        scene: what is drawn at the moment.
    """

    def __init__(
        self,
        settings: Settings,
        stages: Sequence[Stage],
        scenes: Sequence[Scene],
        starts_tried: int | None = None,
        glances: Cutouts | None = None,
        beside: int = 1,
    ) -> None:
        """Prepare a run.

        Args:
            settings: of the run.
            stages: in order.
            scenes: of the first stage, alike but for their random starts.
            starts_tried: how many there are or have been; default: the scenes.
            glances: how starts are looked at while they are tried; default: as later.
            beside: how many of them are drawn side by side meanwhile.
        """
        self.scenes = list(scenes)
        self._settings, self._stages, self._glances = settings, stages, glances
        self._count = len(scenes) if starts_tried is None else starts_tried
        self._rounds = starts.rounds_of(self._count, stages[0].steps)
        self.tryouts = starts.steps_of(self._rounds)
        self._tries = self._rounds[-1].end if self._rounds else 0  # updates of the chosen start
        self._trial = starts.Trial(most=beside)
        self._chosen: int | None = None  # which start; None = not yet
        self._index = 0  # of the stage
        self._next = 0  # update of the stage, those of other starts left out
        self._made = stages[0].begin
        self._resumed_at = 0  # frames of films shown before
        self._use(self.scenes[0])

    @property
    def steps(self) -> int:
        """Updates in the whole run."""
        return self._stages[-1].begin + self._stages[-1].steps

    @property
    def made(self) -> int:
        """Updates made so far, those of tryouts and of earlier drawings included."""
        return self._made

    @property
    def begin(self) -> int:
        """Updates made before the run, when it goes on from another one."""
        return self._stages[0].begin

    @property
    def animated(self) -> bool:
        """Whether the result is a film rather than a picture."""
        return self._stages[-1].picture > 0

    @property
    def film_length(self) -> int:
        """How many frames films show, those of before a checkpoint left out."""
        if self.animated:
            return len(self._stages) - self._resumed_at
        return self.steps - self.begin + 1 - self.tryouts - self._resumed_at

    def frames(self, enter: Enter) -> Generator[Frame | Pull]:
        """Yield every frame, with its step in the whole run, and at last the result.

        Yields what is to be pulled, too: see `loop.course`.

        Args:
            enter: changes the drawer for a later stage; returns its scene, given the last one.
        """
        if self._chosen is None:
            yield from self._try_starts()
        yield from self._follow()
        for index in range(self._index + 1, len(self._stages)):
            self._watch.restore_best()
            with torch.no_grad():
                self._use(enter(self._stages[index], self.scene))
            self._index, self._next = index, 0
            yield from self._follow()
        yield self.snapshot()

    def snapshot(self) -> Frame:
        """Return the result so far: of the best parameters if those are kept, else the last."""
        self._watch.restore_best()
        done = max(0, self._made - self._stage.begin)
        return loop.look(self.scene, done, self._stage.steps, final=True)

    @property
    def _stage(self) -> Stage:
        return self._stages[self._index]

    def _try_starts(self) -> Iterator[Frame | Pull]:
        """Try the starts; choose the best."""
        trying = starts.try_starts(self.scenes, self._stage.steps, self._trial, self._glances)
        while True:
            try:
                made = next(trying)
            except StopIteration as chosen:
                self._choose(chosen.value)
                return
            if isinstance(made, Pull):
                yield made
                continue
            number, frame = made
            if self.scenes[number] is not self.scene:
                self._use(self.scenes[number])
            self._made = self._stage.begin + frame.step + 1
            yield replace(frame, step=self._stage.begin + frame.step, filmed=False)

    def _choose(self, number: int) -> None:
        self._chosen, self._next, self._trial = number, self._tries, starts.Trial()
        self._use(self.scenes[number])
        self.scenes = [self.scene]  # the others' memory is free again

    def _use(self, scene: Scene) -> None:
        self.scene = scene
        self._watch = Watch(self._settings, scene)

    def _follow(self) -> Iterator[Frame | Pull]:
        """Draw the stage, or what is left of it; say which frames films show."""
        stage = self._stage
        others = 0 if self._index else max(0, self.tryouts - self._tries)  # steps of other starts
        length = stage.steps - others
        for made in loop.course([self.scene], length, self._next):
            if isinstance(made, Pull):
                yield made
                continue
            frame = replace(made, step=stage.begin + others + self._next)
            over = self._watch.over(frame)
            self._made, self._next = frame.step + 1, length if over else self._next + 1
            shown = not self.animated
            if self.animated and self._next == length:
                shown = stage is not self._stages[-1]  # of the last, films show the result
            yield frame if shown else replace(frame, filmed=False)
            if over:
                return

    # ---- checkpoints ---------------------------------------------------------------------------

    def memory(self) -> dict[str, Any]:
        """Return where the run has got to, between two frames: `checkpoint.Checkpoint.state`."""
        return {
            "stage": self._index,
            "next": self._next,
            "made": self._made,
            "chosen": self._chosen,
            "trial": self._trial.memory(),
            "scenes": [_memory(scene) for scene in self._present],
            "watch": self._watch.memory(),
        }

    def recall_(self, memory: Mapping[str, Any], restage: Enter) -> None:
        """Go to where another run of the same settings had got to.

        Args:
            memory: what its `memory` gave. Scenes are given for the starts that were there then.
            restage: returns the scene of a later stage, given the last one, and changes nothing.

        Raises:
            CheckpointError: it is of another run.
        """
        self._index = whole(memory["stage"], 0, len(self._stages) - 1)
        self._next = whole(memory["next"], 0, self._stage.steps)
        self._made = whole(memory["made"], self.begin, self.steps)
        chosen = memory["chosen"]
        self._chosen = None if chosen is None else whole(chosen)
        self._trial = starts.Trial.recalled(memory["trial"], self._count, self._rounds)
        if self._chosen is None:
            self._use(self.scenes[self._trial.start])
        for scene, known in zip(self._present, memory["scenes"], strict=True):
            restore_drawer_(scene, known)
        if self._index:
            self._use(restage(self._stage, self.scene))
        for scene, known in zip(self._present, memory["scenes"], strict=True):
            for part, remembered in zip(_remembering(scene), known["parts"], strict=True):
                part.recall_(remembered)
        self._watch.recall_(memory["watch"])
        shown = self._made - self.begin - self.tryouts
        self._resumed_at = self._index if self.animated else max(0, shown)

    @property
    def _present(self) -> list[Scene]:
        return self.scenes if self._chosen is None else [self.scene]


def restore_drawer_(scene: Scene, known: Mapping[str, Any], *, optimizer: bool = True) -> None:
    """Bring a drawer, and its optimizer if asked for, to where those of a checkpoint had got.

    Raises:
        CheckpointError: it is of another drawer.
    """
    wanted = scene.drawer.state_dict()
    scene.drawer.load_state_dict(tensors_like(known["drawer"], wanted, "drawer"))
    if optimizer:
        restore_optimizer_(scene.optimizer, known["optimizer"])


def _memory(scene: Scene) -> dict[str, Any]:
    return {
        "drawer": dict(scene.drawer.state_dict()),
        "optimizer": optimizer_state(scene.optimizer),
        "parts": [part.memory() for part in _remembering(scene)],
    }


def _remembering(scene: Scene) -> list[Remembering]:
    """Return the losses and filters that have something to remember, each once."""
    parts = {id(part): part for part in (*scene.losses, *scene.filters, *scene.look_filters)}
    return [part for part in parts.values() if isinstance(part, Remembering)]
