"""What a studio answers, as plain frozen data. Whatever another version leaves out is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from text2art.studio.client.errors import StudioError

_ENDED = ("done", "failed", "canceled")


@dataclass(frozen=True)
class Job:
    """A picture that waits, is drawn, or was drawn.

    Attributes:
        state: queued, running, done, failed or canceled.
        position: turns until it is served, 1 = next; None unless it waits.
        eta_seconds: until it ends, as far as can be said.
        step, steps: how many are done, of how many.
        settings: what differs from the defaults.
        error: why it failed, or "".
        preview: address of its picture, or of the latest so far; "" before the first.
        files: addresses by ending: png, svg, mp4 ...
    """

    id: str
    state: str
    position: int | None = None
    eta_seconds: float | None = None
    step: int = 0
    steps: int = 0
    score: float | None = None
    prompt: str = ""
    drawer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int | str | None = None
    error: str = ""
    cancel_requested: bool = False
    preview: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    seconds: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will follow."""
        return self.state in _ENDED

    @classmethod
    def of(cls, value: Any) -> Job:
        """Read a job.

        Raises:
            StudioError: it is none.
        """
        said = _mapping(value)
        if not isinstance(said.get("id"), str) or not isinstance(said.get("state"), str):
            raise StudioError("the answer is no job of a text2art studio")
        result = _mapping(said.get("result"))
        score = said.get("score") if said.get("score") is not None else result.get("score")
        return cls(
            id=said["id"],
            state=said["state"],
            position=_whole(said.get("position")),
            eta_seconds=number(said.get("eta_seconds")),
            step=_whole(said.get("step")) or 0,
            steps=_whole(said.get("steps")) or _whole(result.get("steps")) or 0,
            score=number(score),
            prompt=_text(said.get("prompt")),
            drawer=_text(said.get("drawer")),
            settings=_mapping(said.get("settings")),
            seed=said.get("seed"),
            error=_text(said.get("error")),
            cancel_requested=said.get("cancel_requested") is True,
            preview=_text(said.get("preview")),
            files={
                ending: url
                for ending, url in _mapping(result.get("files")).items()
                if isinstance(url, str)
            },
            width=_whole(result.get("width")),
            height=_whole(result.get("height")),
            seconds=number(result.get("seconds")),
        )


@dataclass(frozen=True)
class Jobs:
    """Part of a list of jobs; `next` is the cursor of what follows, "" at the end."""

    jobs: tuple[Job, ...]
    next: str = ""

    @classmethod
    def of(cls, value: Any) -> Jobs:
        """Read a list.

        Raises:
            StudioError: one of it is no job.
        """
        said = _mapping(value)
        return cls(tuple(map(Job.of, _list(said.get("jobs")))), _text(said.get("next")))


@dataclass(frozen=True)
class Events:
    """What happened to a job; `next` is asked with for what follows."""

    events: tuple[Mapping[str, Any], ...]
    next: int
    ended: bool

    @classmethod
    def of(cls, value: Any) -> Events:
        """Read events."""
        said = _mapping(value)
        events = tuple(_mapping(one) for one in _list(said.get("events")))
        return cls(events, _whole(said.get("next")) or 0, said.get("ended") is True)


@dataclass(frozen=True)
class Field:
    """A setting, as a form shows it.

    Attributes:
        kind: text, texts, integer, number, switch, choice, size, numbers, weights or seed.
    """

    name: str
    kind: str = "text"
    default: Any = None
    help: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Style:
    """Words that change how a picture looks."""

    name: str
    title: str
    category: str = ""


@dataclass(frozen=True)
class Catalog:
    """Everything that a form is made from.

    Attributes:
        fields: settings by name, those of a part as `pixel.cells`.
        drawers: what each is, by name.
        iterations: of each quality.
        caps: limits of the studio by name, as `iterations` and `upload_bytes`.
        palettes: colors as #rrggbb by name.
        publishes: whether new pictures go into the gallery unless it is said.
        version: of the studio.
    """

    fields: Mapping[str, Field]
    drawers: Mapping[str, str]
    iterations: Mapping[str, int]
    caps: Mapping[str, float]
    styles: tuple[Style, ...]
    palettes: Mapping[str, tuple[str, ...]]
    publishes: bool = False
    version: str = ""

    @classmethod
    def of(cls, settings: Any, styles: Any, palettes: Any, me: Any) -> Catalog:
        """Read the answers of /settings, /styles, /palettes and /me.

        Raises:
            StudioError: they are those of something else.
        """
        said, looks = _mapping(settings), _mapping(styles)
        fields = {one.name: one for one in map(_field, _list(said.get("fields"))) if one.name}
        if "prompts" not in fields:
            raise StudioError("what answers is no text2art studio: its settings have no prompts")
        titles = dict(map(_named, _list(looks.get("categories"))))
        caps = {name: number(most) for name, most in _mapping(said.get("caps")).items()}
        presets = _mapping(said.get("presets"))
        steps = {name: _whole(_mapping(one).get("iterations")) for name, one in presets.items()}
        shown = [_mapping(one) for one in _list(_mapping(palettes).get("palettes"))]
        return cls(
            fields=fields,
            drawers=dict(map(_named, _list(said.get("drawers")))),
            iterations={name: count for name, count in steps.items() if count is not None},
            caps={name: most for name, most in caps.items() if most is not None},
            styles=tuple(_style(one, titles) for one in _list(looks.get("styles"))),
            palettes={
                _text(one.get("name")): tuple(map(_text, _list(one.get("colors")))) for one in shown
            },
            publishes=_mapping(me).get("publish_by_default") is True,
            version=_text(_mapping(me).get("version")),
        )


@dataclass(frozen=True)
class Reading:
    """How a studio reads prompts: what it has to say about them."""

    notices: tuple[str, ...]

    @classmethod
    def of(cls, value: Any) -> Reading:
        """Read it."""
        scenes = _list(_mapping(value).get("scenes"))
        prompts = [_mapping(one) for scene in scenes for one in _list(scene)]
        notices = [text for one in prompts for text in _list(one.get("notices"))]
        return cls(tuple(dict.fromkeys(map(_text, notices))))


@dataclass(frozen=True)
class File:
    """A file of a studio; `name` is what it would be saved as."""

    data: bytes
    name: str


def number(value: Any) -> float | None:
    """Return a JSON number, None for anything else."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain else None


def _whole(value: Any) -> int | None:
    return int(value) if number(value) is not None else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _named(value: Any) -> tuple[str, str]:
    said = _mapping(value)
    return _text(said.get("name")), _text(said.get("title"))


def _field(value: Any) -> Field:
    said = _mapping(value)
    return Field(
        name=_text(said.get("name")),
        kind=_text(said.get("kind")) or "text",
        default=said.get("default"),
        help=_text(said.get("help")),
        choices=tuple(map(_text, _list(said.get("choices")))),
        minimum=number(said.get("minimum")),
        maximum=number(said.get("maximum")),
    )


def _style(value: Any, titles: Mapping[str, str]) -> Style:
    said = _mapping(value)
    name, category = _text(said.get("name")), _text(said.get("category"))
    return Style(name, _text(said.get("title")) or name, titles.get(category, category))
