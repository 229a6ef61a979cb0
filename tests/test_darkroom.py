"""Pictures developed beside a run: in order, as they were, and no failure is lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from text2art.errors import OutputError
from text2art.media.convert import to_pil
from text2art.media.darkroom import Darkroom
from text2art.media.video import VideoWriter
from text2art.runtime import stream

HERE = threading.get_ident()


def noise(seed: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(1, channels, 12, 16, generator=stream(seed, "noise"))


@pytest.mark.parametrize("channels", [3, 4])
def test_they_are_used_elsewhere_in_order_and_as_they_were(channels: int) -> None:
    used: list[tuple[int, Image.Image]] = []
    images = [noise(n, channels) for n in range(20)]
    expected = [to_pil(image).tobytes() for image in images]
    with Darkroom() as darkroom:
        for image in images:
            darkroom.develop(image, lambda picture: used.append((threading.get_ident(), picture)))
            image.zero_()  # what is done to it later is not seen
    assert [picture.tobytes() for _, picture in used] == expected
    threads = {thread for thread, _ in used}
    assert len(threads) == 1
    assert HERE not in threads


def test_who_brings_one_does_not_wait_until_many_do() -> None:
    go, used = threading.Event(), []

    def slow(picture: Image.Image) -> None:
        go.wait(10)
        used.append(picture)

    with Darkroom(most=3) as darkroom:
        for n in range(3):
            darkroom.develop(noise(n), slow)
        assert used == []
        fourth = threading.Thread(target=lambda: darkroom.develop(noise(3), slow))
        fourth.start()
        fourth.join(0.2)
        assert fourth.is_alive(), "there is no room for it"
        go.set()
        fourth.join(10)
        assert not fourth.is_alive()
        darkroom.wait()
        assert len(used) == 4


def test_what_is_made_of_a_picture_is_there_for_who_asks() -> None:
    with Darkroom() as darkroom:
        size = darkroom.develop(noise(0), lambda picture: picture.size)
        assert size.result(10) == (16, 12)


def fail(picture: Image.Image) -> None:
    raise OutputError("the disk is full")


def test_a_failure_ends_the_block() -> None:
    used: list[Image.Image] = []
    with pytest.raises(OutputError, match="the disk is full"), Darkroom() as darkroom:
        darkroom.develop(noise(0), fail)
    with pytest.raises(OutputError, match="the disk is full"), Darkroom() as darkroom:
        failed = darkroom.develop(noise(0), fail)
        while not failed.done():
            time.sleep(0.01)
        darkroom.develop(noise(1), used.append)
    with pytest.raises(OutputError, match="the disk is full"), Darkroom() as darkroom:
        darkroom.develop(noise(0), fail)
        darkroom.wait()
    assert used == []


def test_after_a_failure_nothing_more_is_used() -> None:
    used: list[Image.Image] = []
    go = threading.Event()

    def late(picture: Image.Image) -> None:
        go.wait(10)
        fail(picture)

    with pytest.raises(OutputError), Darkroom() as darkroom:
        darkroom.develop(noise(0), late)
        follower = darkroom.develop(noise(1), used.append)
        go.set()
    assert used == []
    assert isinstance(follower.exception(), OutputError)


def test_a_block_that_fails_gives_up_what_waits() -> None:
    go, used = threading.Event(), []

    def slow(picture: Image.Image) -> None:
        go.wait(0.3)
        used.append(picture)

    with pytest.raises(ValueError, match="mine"), Darkroom() as darkroom:
        for n in range(6):
            darkroom.develop(noise(n), slow)
        raise ValueError("mine")
    assert len(used) <= 1


def test_a_film_made_of_it_is_the_film(tmp_path: Path) -> None:
    images = [noise(n) for n in range(9)]
    with VideoWriter(tmp_path / "a.gif", 9) as film:
        for image in images:
            film.add(to_pil(image))
    with VideoWriter(tmp_path / "b.gif", 9) as film, Darkroom() as darkroom:
        for image in images:
            darkroom.develop(image, film.add)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    with (
        pytest.raises(OutputError),
        VideoWriter(tmp_path / "c.gif", 9) as film,
        Darkroom() as darkroom,
    ):
        darkroom.develop(images[0], film.add)
        darkroom.develop(images[1], fail)
    assert not (tmp_path / "c.gif").exists()
