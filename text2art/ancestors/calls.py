"""The five calls of clipit and pixray, and the few around them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from text2art.ancestors.applied import Applied
from text2art.ancestors.dialect import ALSO, ROWS, Dialect, read
from text2art.ancestors.row import number_of
from text2art.errors import SettingsError, did_you_mean
from text2art.settings import Settings


class Calls:
    """An ancestor's functions: settings are gathered, applied, and drawn.

    What is gathered belongs to the thread that gathers it, so that requests of a site do not mix.
    What is applied is a run of its own, whatever is gathered next.
    """

    def __init__(self, dialect: Dialect, say: Callable[[str], None] | None = None) -> None:
        """Begin with no settings.

        Args:
            dialect: whose sizes and presets.
            say: takes what the user should know; by default it is written to stderr.
        """
        self._dialect = dialect
        self._say = say or _to_stderr
        self._threads = threading.local()

    def reset_settings(self) -> None:
        """Forget all settings that were added."""
        self._threads.given = {}

    def add_settings(self, **settings: Any) -> None:
        """Add settings, by any name that pixray, clipit or text2art know.

        Raises:
            SettingsError: a name is nobody's.
        """
        for name in settings:
            key = name.replace("-", "_")
            known = [*ROWS, *ALSO, *Settings.model_fields, *self._own_names()]
            if key not in known:
                raise SettingsError(
                    f"unknown setting {name!r}.{did_you_mean(key, known)} docs/migration.md lists "
                    "those of pixray and clipit, 'text2art list settings' ours."
                )
        self._threads.given = {**self._given(), **settings}

    def get_settings(self) -> dict[str, Any]:
        """Return the settings that were added."""
        return dict(self._given())

    def apply_settings(self) -> Applied:
        """Read the settings that were added; return them as one run's.

        Raises:
            SettingsError: with one readable line about what is wrong.
        """
        given = dict(self._given())
        listed = given.pop("custom_loss", given.pop("losses", None))
        wanted, others = _split(listed, self._own())
        if others is not None:
            given["custom_loss"] = others
        told = read(self._dialect, {k: v for k, v in given.items() if k not in self._own_names()})
        return Applied(told, self._losses(wanted, {**told.settings.model_dump(), **given}))

    def do_init(self, settings: Applied) -> None:
        """Load the models and get the picture of some applied settings ready."""
        settings.set_up()
        for notice in settings.notices:
            self._say(notice)

    def do_run(self, settings: Applied, return_display: bool = False) -> bool:
        """Draw; `settings.result` holds the result then, and it is saved as `output`.

        Args:
            settings: applied ones.
            return_display: come back at each picture shown (`display_every`); call again to go on.

        Returns:
            Whether the run is over.
        """
        return settings.draw(until_shown=return_display)

    def run(
        self, prompts: str | None = None, drawer: str | None = None, **settings: Any
    ) -> Applied:
        """Draw in one call; return the settings, with the result."""
        self.reset_settings()
        first = {"prompts": prompts, "drawer": drawer}
        self.add_settings(**{k: v for k, v in first.items() if v is not None}, **settings)
        applied = self.apply_settings()
        self.do_init(applied)
        self.do_run(applied)
        return applied

    def add_custom_loss(self, name: str, loss: Any) -> None:
        """Add a loss of one's own, which `custom_loss` then knows by name.

        Args:
            name: for `custom_loss="name:weight"`.
            loss: a class as pixray's (with `get_loss`), or one of ours (`core.Loss`).

        Raises:
            SettingsError: the name is a registered loss's, or the class is neither.
        """
        from text2art import registry

        if name in registry.components("losses"):
            raise SettingsError(f"custom loss {name!r}: there is a loss of that name: take another")
        if not callable(getattr(loss, "get_loss", None)) and not callable(loss):
            raise SettingsError(
                f"custom loss {name!r}: {loss!r} is neither a class with get_loss nor a loss"
            )
        self._threads.own = {**self._own(), name: loss}

    def _given(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = getattr(self._threads, "given", {})
        return given

    def _own(self) -> Mapping[str, Any]:
        own: Mapping[str, Any] = getattr(self._threads, "own", {})
        return own

    def _own_names(self) -> list[str]:
        """Return the settings that losses of one's own add."""
        from text2art.ancestors.own_losses import own_settings

        return [name for loss in self._own().values() for name in own_settings(loss)]

    def _losses(self, wanted: Mapping[str, float], args: Mapping[str, Any]) -> tuple[Any, ...]:
        """Build the losses of one's own that are wanted, by weight."""
        from text2art.ancestors.own_losses import OwnLoss

        losses = []
        for name, weight in wanted.items():
            kind = self._own()[name]
            if callable(getattr(kind, "get_loss", None)):
                losses.append(OwnLoss(name, kind, weight, args))
                continue
            loss = kind() if isinstance(kind, type) else kind
            loss.name, loss.weight = name, weight
            losses.append(loss)
        return tuple(losses)


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


def _split(listed: Any, own: Mapping[str, Any]) -> tuple[dict[str, float], Any]:
    """Take the losses of one's own out of a list of losses.

    Returns:
        Their weights by name, and the rest; None when there is no rest, so that our defaults stay.
    """
    if isinstance(listed, Mapping):
        parts = [f"{name}:{weight}" for name, weight in listed.items()]
    else:
        parts = listed.split(",") if isinstance(listed, str) else list(listed or ())
    wanted: dict[str, float] = {}
    rest: list[str] = []
    for part in parts:
        name, colon, weight = str(part).strip().partition(":")
        if name.strip() in own:
            wanted[name.strip()] = number_of(f"custom_loss {name}", weight) if colon else 1.0
        else:
            rest.append(str(part))
    return wanted, (None if wanted and not rest else ",".join(rest) if listed is not None else None)
