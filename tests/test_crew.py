"""Threads that take whole networks: the same embeddings and gradients, to the bit each time."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from text2art import runtime
from text2art.nets.crew import Crew, split
from text2art.perceptors import starter


def nets(count: int) -> list[nn.Module]:
    made: list[nn.Module] = []
    for seed in range(count):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(3, 5, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(5 * 16, 4 + seed),
        )  # fmt: skip
        made.append(net.double().requires_grad_(requires_grad=False))
    return made


def pictures(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, 8, 8, generator=generator, dtype=torch.float64)


def learned(crew: Crew, networks: list[nn.Module], batch: Tensor) -> tuple[list[Tensor], Tensor]:
    leaf = batch.clone().requires_grad_()
    seen = crew.see(networks, leaf * 2)
    (gradient,) = torch.autograd.grad(torch.stack([one.sin().sum() for one in seen]).sum(), leaf)
    return [one.detach() for one in seen], gradient


@pytest.fixture
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("batch", [1, 2, 10])
def test_embeddings_and_gradients_are_those_of_one_thread(
    size: int, count: int, batch: int
) -> None:
    networks, shown = nets(count), pictures(batch)
    expected, gradient = learned(Crew(1), networks, shown)
    seen, found = learned(Crew(size), networks, shown)
    assert [one.shape for one in seen] == [(batch, 4 + k) for k in range(count)]
    for one, other in zip(seen, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, gradient, rtol=1e-12, atol=1e-12)


def test_the_same_bits_each_time_beside_another_crew() -> None:
    networks, shown = nets(3), pictures(10)
    alone, gradient = learned(Crew(2), networks, shown)
    answers: list[tuple[list[Tensor], Tensor]] = []
    crews = [Crew(2), Crew(2)]

    def run(crew: Crew) -> None:
        answers.extend(learned(crew, networks, shown) for _ in range(5))

    threads = [threading.Thread(target=run, args=[crew]) for crew in crews]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 10
    for seen, found in answers:
        assert all(torch.equal(one, other) for one, other in zip(seen, alone, strict=True))
        assert torch.equal(found, gradient)


def test_without_gradients_there_is_no_graph() -> None:
    networks, shown = nets(2), pictures(3)
    assert not any(one.requires_grad for one in Crew(2).see(networks, shown))
    with torch.no_grad():
        leaf = shown.clone().requires_grad_()
        assert not any(one.requires_grad for one in Crew(2).see(networks, leaf))


def test_one_embedding_alone_has_the_gradient_of_its_network() -> None:
    networks, shown = nets(3), pictures(4)
    leaf = shown.clone().requires_grad_()
    seen = Crew(2).see(networks, leaf)
    (found,) = torch.autograd.grad(seen[1].sum(), leaf)
    plain = shown.clone().requires_grad_()
    (expected,) = torch.autograd.grad(networks[1](plain).sum(), plain)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_threads_compute_alone_and_the_caller_as_before(two_cores: None) -> None:
    crew = Crew(3)
    assert set(crew.each([torch.get_num_threads] * 9)) == {1}
    assert torch.get_num_threads() == 2
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_a_network_that_fails_is_told_and_the_crew_goes_on() -> None:
    crew = Crew(2)

    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        crew.see([broken, nets(1)[0]], pictures(2))
    assert len(crew.see(nets(2), pictures(2))) == 2


def test_threads_end_with_their_crew() -> None:
    crew = Crew(3)
    assert crew.each([threading.current_thread])[0].name.startswith("crew")
    mine = crew.each([threading.current_thread] * 9)
    del crew
    gc.collect()
    for thread in mine:
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("count", "batch", "threads", "expected"),
    [
        (3, 10, 1, [1, 1, 1]),
        (3, 10, 3, [1, 1, 1]),
        (3, 10, 2, [1, 1, 2]),  # two whole ones, and one shared
        (1, 10, 2, [2]),
        (4, 10, 2, [1, 1, 1, 1]),
        (3, 1, 8, [1, 1, 1]),
        (3, 0, 2, [1, 1, 1]),
    ],
)
def test_shares(count: int, batch: int, threads: int, expected: list[int]) -> None:
    assert split(count, batch, threads) == expected


@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 64))
def test_no_piece_is_empty(count: int, batch: int, threads: int) -> None:
    pieces = split(count, batch, threads)
    assert len(pieces) == count
    assert all(1 <= piece <= batch for piece in pieces)


def test_the_starter_sees_the_same_on_two_cores(two_cores: None) -> None:
    crops = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(3))

    def look() -> tuple[Tensor, Tensor]:
        perceptor = starter.build("", runtime.pick("cpu"))
        leaf = crops.clone().requires_grad_()
        seen = perceptor.see(leaf)
        (gradient,) = torch.autograd.grad(seen[:, ::7].sum(), leaf)
        return seen.detach(), gradient

    seen, gradient = look()
    again, same = look()
    assert torch.equal(seen, again)
    assert torch.equal(gradient, same)
    torch.set_num_threads(1)
    expected, slope = look()
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-6)
    assert (
        torch.nn.functional.cosine_similarity(gradient.flatten(), slope.flatten(), dim=0) > 0.99999
    )
