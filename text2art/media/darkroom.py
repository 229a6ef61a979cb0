"""Pictures become files beside the run: neither the loop nor the device waits for an encoder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from types import TracebackType
from typing import TypeVar

from PIL import Image
from torch import Tensor
from typing_extensions import Self

from text2art.media.convert import levels_of, picture_of
from text2art.runtime import fetch

Made = TypeVar("Made")


class Darkroom:
    """Develops pictures in a thread of its own, in order.

    Use as a context manager: a block that ends well waits for all of them, and one that fails gives
    up what is waiting.

    Args:
        most: pictures that may wait; who brings another one waits, too.
    """

    def __init__(self, most: int = 8) -> None:
        self._pool = ThreadPoolExecutor(1, "darkroom")
        self._room = BoundedSemaphore(most)
        self._error: BaseException | None = None

    def develop(self, image: Tensor, use: Callable[[Image.Image], Made]) -> Future[Made]:
        """Let a picture be used once it is here; return at once.

        Args:
            image: `(1, 3 or 4, H, W)` in [0, 1]; its copy begins now, in the order of the device's
                work, so whatever is done to it later is not seen.
            use: takes it as an 8-bit picture, in the other thread.

        Raises:
            Exception: what an earlier one raised.
        """
        self._fail()
        arrived = fetch(levels_of(image))
        self._room.acquire()
        return self._pool.submit(self._develop, arrived, use)

    def wait(self) -> None:
        """Wait until all that was brought so far is used.

        Raises:
            Exception: what one of them raised.
        """
        self._pool.submit(lambda: None).result()
        self._fail()

    def _develop(self, arrived: Callable[[], Tensor], use: Callable[[Image.Image], Made]) -> Made:
        try:
            if self._error is not None:  # they come in order, so what follows would lack one
                raise self._error
            return use(picture_of(arrived()))
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._room.release()

    def _fail(self) -> None:
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if error is None:
            self._fail()
