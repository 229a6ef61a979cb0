"""The losses and filters of a run, from its settings and from its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from text2art import registry, weighted
from text2art.core import Canvas, Context, Filter, LookFilter, Loss, LossSource, Prepared
from text2art.errors import SettingsError
from text2art.settings import Settings

_AT_EDGES = "framing"  # the loss that means nothing where a picture has no edges


def make_losses(
    settings: Settings,
    wanted: Mapping[str, float],
    context: Context,
    *,
    extra: Sequence[Loss] = (),
    others: Sequence[Loss] = (),
) -> list[Loss]:
    """Return losses that are ready to be asked.

    Args:
        settings: give the options.
        wanted: weights of registered losses by name.
        context: what those may know that ask for it (`core.Prepared`).
        extra: losses of the caller's own.
        others: what the run has besides, whose names are taken.

    Raises:
        SettingsError: one of the caller's is no loss, or has the name of another.
    """
    losses: list[Loss] = [
        registry.find("losses", name).load()(weight, settings.options(name))
        for name, weight in wanted.items()
    ]
    for loss in extra:
        if not isinstance(loss, Loss):
            raise SettingsError(
                f"extra loss {loss!r} is no loss: it needs a name and a weight, and is called with "
                "a view (text2art.core.Loss)"
            )
        if loss.name in [other.name for other in (*others, *losses)]:
            raise SettingsError(f"two losses are called {loss.name!r}: give one another name")
        losses.append(loss)
    for loss in losses:
        if isinstance(loss, Prepared):
            loss.prepare_(context)
    return losses


@dataclass
class Filters:
    """The filters of a run.

    Attributes:
        changing: those that change the picture, in order.
        looking: those that change how it is looked at, in order.
        losses: what they bring along.
    """

    changing: list[Callable[[Tensor], Tensor]] = field(default_factory=list)
    looking: list[LookFilter] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)


def make_filters(settings: Settings, canvas: Canvas) -> Filters:
    """Return the filters of some settings, for pictures of a canvas."""
    filters = Filters()
    for item in weighted.read_items(settings.filters, "filters"):
        if item.weight == 0:
            continue
        build = registry.find("filters", item.name).load()
        made: Any = build(item.weight, settings.options(item.name), canvas)
        if isinstance(made, Filter):
            filters.changing.append(made)
        if isinstance(made, LookFilter):
            filters.looking.append(made)
        if isinstance(made, LossSource):
            there = [loss.name for loss in filters.losses]
            filters.losses += [loss for loss in made.losses() if loss.name not in there]
    return filters


def changing_names(settings: Settings) -> list[str]:
    """Return which filters change the picture that is saved, by name."""
    names = [item.name for item in weighted.read_items(settings.filters, "filters") if item.weight]
    return [name for name in names if _changes(registry.find("filters", name).load())]


def _changes(build: Any) -> bool:
    """Whether what a filter is built by makes a `core.Filter`; yes if it does not say."""
    return not isinstance(build, type) or any("__call__" in vars(base) for base in build.__mro__)


def without_edges(
    wanted: Mapping[str, float], looking: Sequence[LookFilter]
) -> tuple[dict[str, float], list[str]]:
    """Leave out what would calm the edges of a picture that has none; say so."""
    if not looking or _AT_EDGES not in wanted:
        return dict(wanted), []
    names = " and ".join(filter_.name for filter_ in looking)
    notice = f"the loss {_AT_EDGES} is left out: with the filter {names} the picture has no edges"
    return {name: weight for name, weight in wanted.items() if name != _AT_EDGES}, [notice]
