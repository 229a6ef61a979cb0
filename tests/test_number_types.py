"""Number types: what the hardware and TEXT2ART_DTYPE decide, and for which networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from text2art import runtime
from text2art.errors import SettingsError
from text2art.models import Models
from text2art.nets.vqgan import Vqgan
from text2art.perceptors import starter
from text2art.runtime import Runtime, network_dtype, pick
from text2art.session import Session
from text2art.settings import Settings

CPU = torch.device("cpu")
FULL, HALF = torch.float32, torch.bfloat16
QUERIES = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEXT2ART_DTYPE")


def pretend(monkeypatch: pytest.MonkeyPatch, *answers: bool) -> None:
    """Let torch answer so about the processor: AVX512-BF16, AMX."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    for name, answer in zip(QUERIES, answers, strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)


@pytest.mark.parametrize(
    ("avx512", "amx", "small", "large"),
    [
        (False, False, FULL, FULL),
        (True, False, FULL, HALF),
        (False, True, HALF, HALF),
        (True, True, HALF, HALF),
    ],
)
def test_the_processor_decides(
    avx512: bool,
    amx: bool,
    small: torch.dtype,
    large: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, avx512, amx)
    chosen = pick("cpu")
    assert (chosen.perceptor_dtype, chosen.large_dtype) == (small, large)
    assert (", networks in bfloat16" in chosen.description) == (small == HALF)
    assert (", large networks in bfloat16" in chosen.description) == (small != large)


def test_a_torch_that_cannot_say_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in QUERIES:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert network_dtype(CPU) == FULL
    pretend(monkeypatch, True, True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert network_dtype(CPU) == FULL


def test_the_environment_decides_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, True, True)
    monkeypatch.setenv("TEXT2ART_DTYPE", "float32")
    chosen = pick("cpu")
    assert (chosen.perceptor_dtype, chosen.large_dtype) == (FULL, FULL)
    pretend(monkeypatch, False, False)
    monkeypatch.setenv("TEXT2ART_DTYPE", " BFloat16 ")
    chosen = pick("cpu")
    assert (chosen.perceptor_dtype, chosen.large_dtype) == (FULL, HALF)
    assert "large networks in bfloat16" in chosen.description
    monkeypatch.setenv("TEXT2ART_DTYPE", "")
    assert pick("cpu").large_dtype == FULL


@pytest.mark.parametrize("name", ["half", "float16", "fp32", "bfloat", "32"])
def test_other_names_are_refused_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT2ART_DTYPE", name)
    with pytest.raises(SettingsError, match=f"TEXT2ART_DTYPE='{name}': use float32 or bfl") as told:
        pick("cpu")
    assert "\n" not in str(told.value)


def test_size_decides_which_networks_are_large() -> None:
    chosen = Runtime(CPU, FULL, HALF)
    with torch.device("meta"):
        small, large = nn.Linear(100, 100), nn.Linear(4000, 4000)
    assert (chosen.dtype_for(small), chosen.dtype_for(large)) == (FULL, HALF)
    assert Runtime(CPU, HALF).dtype_for(large) == Runtime(CPU, HALF).dtype_for(small) == HALF
    assert Runtime(CPU).dtype_for(large) == FULL


def test_small_perceptors_see_the_same_bits_without_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(name: str) -> torch.Tensor:
        perceptor = Models(pick("cpu")).perceptor(name)
        draw = runtime.stream(0, "crops")
        return perceptor.see(torch.rand(2, 3, perceptor.size, perceptor.size, generator=draw))

    pretend(monkeypatch, False, False)
    before = {name: seen(name) for name in ("starter", "toy")}
    pretend(monkeypatch, True, False)
    monkeypatch.setenv("TEXT2ART_DTYPE", "bfloat16")
    for name, wanted in before.items():
        assert torch.equal(seen(name), wanted)


def test_the_starter_pulls_the_same_way_in_bfloat16() -> None:
    pulls = []
    for dtype in (FULL, HALF):
        perceptor = starter.build("", Runtime(CPU, dtype))
        draw = runtime.stream(0, "crops")
        crops = torch.rand(4, 3, perceptor.size, perceptor.size, generator=draw).requires_grad_()
        score = perceptor.see(crops) @ perceptor.read(["a red apple"])[0]
        score.sum().backward()  # type: ignore[no-untyped-call]
        assert crops.grad is not None
        pulls.append(crops.grad.flatten(1))
    similar = torch.nn.functional.cosine_similarity(pulls[0], pulls[1])
    assert float(similar.min()) > 0.999


@pytest.mark.parametrize(("amx", "wanted"), [(False, FULL), (True, HALF)])
def test_the_starters_vqgan_decodes_in_the_type_of_small_networks(
    amx: bool, wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, True, amx)
    models = Models(Runtime(CPU))
    asked = Settings.of(
        prompts="a red apple", perceptor="toy", drawer="vqgan", size="32x32", iterations=1
    )
    with Session(asked, models=models) as session:
        assert list(session.frames())[-1].image.dtype == FULL
    (net,) = models._networks.values()
    assert isinstance(net, Vqgan)
    assert next(net.decoder.parameters()).dtype == wanted
    assert next(net.encoder.parameters()).dtype == FULL


def draw_in(dtype: torch.dtype, **settings: Any) -> torch.Tensor:
    wanted = Settings.of(prompts="a red apple", quality="draft", seed=3, **settings)
    with Session(wanted, models=Models(Runtime(CPU, dtype))) as session:
        return list(session.frames())[-1].image


@pytest.mark.parametrize("cores", [1, 2])
def test_a_seed_gives_the_same_bits_in_bfloat16(cores: int) -> None:
    settings = {"iterations": 10, "starts": 2, "cuts": 5, "size": "48x48"}
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        first, again = draw_in(HALF, **settings), draw_in(HALF, **settings)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(first, again)
    assert not torch.equal(first, draw_in(FULL, **settings))
