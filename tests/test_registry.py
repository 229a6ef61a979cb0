"""The registry: lazy, open to plug-ins, and clear about clashes."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from text2art import registry
from text2art.errors import SettingsError, UnknownComponent
from text2art.registry import Component


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    registry.components.cache_clear()
    yield
    registry.components.cache_clear()


def _plug_in(monkeypatch: pytest.MonkeyPatch, name: str, loaded: object) -> None:
    def load() -> object:
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    point = SimpleNamespace(
        name=name, value="x:y", dist=SimpleNamespace(name="some-package"), load=load
    )

    def entry_points(group: str) -> list[object]:
        return [point] if group == "text2art.losses" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_built_in_component_loads(kind: str) -> None:
    for component in registry.BUILTIN[kind]:
        assert callable(component.load())
        assert component.summary.endswith(".")
        if component.options:
            model = component.load_options()
            assert model is not None
            model()  # every option has a default


def test_plug_ins_come_in_by_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug_in(monkeypatch, "glow", Component("glow", "text2art.losses.symmetry:SymmetryLoss", "x."))
    found = registry.find("losses", "glow")
    assert found.owner == "some-package"
    assert found.load().__name__ == "SymmetryLoss"


def test_a_clash_names_both_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug_in(monkeypatch, "symmetry", Component("symmetry", "a:b", "x."))
    with pytest.raises(SettingsError, match="text2art and some-package"):
        registry.components("losses")


@pytest.mark.parametrize("loaded", [ImportError("no module"), "not a component"])
def test_a_broken_plug_in_is_named(monkeypatch: pytest.MonkeyPatch, loaded: object) -> None:
    _plug_in(monkeypatch, "glow", loaded)
    with pytest.raises(SettingsError, match="some-package"):
        registry.components("losses")


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UnknownComponent, match=r"unknown loss 'smoth'.*smoothness"):
        registry.find("losses", "smoth")
