"""Number types: what the hardware and TEXT2ART_DTYPE decide, and for which networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from text2art import runtime
from text2art.errors import SettingsError
from text2art.models import Models
from text2art.runtime import Runtime, network_dtype, pick

CPU = torch.device("cpu")
FULL, HALF = torch.float32, torch.bfloat16
QUERIES = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def pretend(monkeypatch: pytest.MonkeyPatch, *answers: bool) -> None:
    """Let torch answer so about the processor: AVX512-BF16, AMX."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    for name, answer in zip(QUERIES, answers, strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)


@pytest.mark.parametrize(
    ("avx512", "amx", "wanted"),
    [(False, False, FULL), (True, False, HALF), (False, True, HALF), (True, True, HALF)],
)
def test_the_processor_decides(
    avx512: bool, amx: bool, wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, avx512, amx)
    chosen = pick("cpu")
    assert (chosen.perceptor_dtype, chosen.large_dtype) == (FULL, wanted)
    assert ("bfloat16" in chosen.description) == (wanted == HALF)


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
    assert pick("cpu").large_dtype == FULL
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


def test_small_perceptors_see_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(name: str) -> torch.Tensor:
        perceptor = Models(pick("cpu")).perceptor(name)
        draw = runtime.stream(0, "crops")
        return perceptor.see(torch.rand(2, 3, perceptor.size, perceptor.size, generator=draw))

    before = {name: seen(name) for name in ("starter", "toy")}
    monkeypatch.setenv("TEXT2ART_DTYPE", "bfloat16")
    for name, wanted in before.items():
        assert torch.equal(seen(name), wanted)
