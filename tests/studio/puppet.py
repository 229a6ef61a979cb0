"""A worker of real queues whose drawing is a play: each picture comes when a test lets it come."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image

from text2art.media.png import save_picture
from text2art.settings import Settings
from text2art.studio.api.app import create_app
from text2art.studio.config import StudioConfig
from text2art.studio.model import Claim, EventType, NewEvent, Outcome, Progress, State, Verdict
from text2art.studio.service import Studio
from text2art.studio.store import frame_key, result_key

STEPS = 8
SIDE = 48
_LOOK = 0.05  # seconds between looks for a cancel
_BEAT = 2.0  # seconds between heartbeats


class Puppet:
    """Draws `STEPS` pictures per job, one for each `go()`, or all by themselves when `free`."""

    def __init__(self) -> None:
        self.free = False
        self.fail = ""  # a reason for which the next job fails
        self._go = threading.Semaphore(0)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self) -> None:
        """Let no picture come until it is said."""
        self.free, self.fail = False, ""
        while self._go.acquire(blocking=False):
            pass

    def go(self, pictures: int = 1) -> None:
        """Let some pictures come."""
        self._go.release(pictures)

    def start(self, studio: Studio) -> object:
        """Begin to take jobs; return how to stop it."""
        studio.queue.enlist("puppet", runner="local", device="cpu", lanes=("gpu",))
        self._thread = threading.Thread(target=self._work, args=(studio,), daemon=True)
        self._thread.start()
        return self._stop

    def _stop(self) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _work(self, studio: Studio) -> None:
        while not self._over.is_set():
            claim = studio.queue.claim("puppet")
            if claim is None:
                self._over.wait(_LOOK)
            else:
                self._draw(studio, claim)

    def _draw(self, studio: Studio, claim: Claim) -> None:
        picture = final(str(claim.settings.get("prompts", "")))
        for step in range(STEPS):
            verdict = self._wait(studio, claim)
            if verdict is not Verdict.GO or self._over.is_set():
                break
            key = frame_key(claim.job_id, claim.attempt, step, "png")
            studio.store.put(key, _bytes(_forming(picture, step)))
            score = 0.2 + 0.01 * step
            frame = {"step": step, "key": key, "width": SIDE, "height": SIDE}
            studio.queue.heartbeat(
                claim,
                Progress(step + 1, STEPS, score, 1 - score, eta_seconds=float(STEPS - step - 1)),
                [
                    NewEvent(EventType.FRAME, frame),
                    NewEvent(EventType.SCORE, {"step": step, "score": score, "loss": 1 - score}),
                ],
            )
        else:
            verdict = Verdict.GO
        if self._over.is_set():
            studio.queue.give_back(claim)
            return
        self._end(studio, claim, picture, verdict)

    def _end(self, studio: Studio, claim: Claim, picture: Image.Image, verdict: Verdict) -> None:
        if self.fail:
            reason, self.fail = self.fail, ""
            studio.queue.finish(claim, Outcome(State.FAILED, error=reason))
            return
        key = result_key(claim.job_id, claim.attempt, "png")
        settings = Settings.of(**claim.settings)
        studio.store.put(key, picture_file(picture, settings))
        facts = {"width": SIDE, "height": SIDE, "seconds": 2.5, "seed": settings.seed}
        result = {"files": {"png": key}, "steps": STEPS, "score": 0.27, **facts}
        canceled = verdict is Verdict.CANCEL
        outcome = Outcome(State.CANCELED if canceled else State.DONE, result)
        studio.queue.finish(claim, outcome)

    def _wait(self, studio: Studio, claim: Claim) -> Verdict:
        beat = 0.0
        while not self._over.is_set():
            if time.monotonic() - beat > _BEAT:
                beat = time.monotonic()
                verdict = studio.queue.heartbeat(claim)
            else:
                verdict = studio.queue.look(claim)
            if verdict is not Verdict.GO or self.fail:
                return verdict if not self.fail else Verdict.LOST
            if self.free or self._go.acquire(timeout=_LOOK):
                return Verdict.GO
        return Verdict.GO


def final(words: str) -> Image.Image:
    """Return a picture that is another for other words."""
    rng = np.random.default_rng(list(words.encode()))
    coarse = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def picture_file(picture: Image.Image, settings: Settings) -> bytes:
    """Return a PNG as text2art writes it, its settings inside."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        record = {"version": "0", "settings": settings.given(), "seed": settings.seed}
        save_picture(picture, path, {**record, "perceptors": []})
        return path.read_bytes()


@contextlib.contextmanager
def serving(config: StudioConfig, puppet: Puppet) -> Iterator[str]:
    """Run a studio on a free port; give its address."""
    app = create_app(config, beside=puppet.start)  # type: ignore[arg-type]
    options = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=config.port,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the studio did not start")
        thread.join(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def _forming(picture: Image.Image, step: int) -> Image.Image:
    side = 2 + (SIDE - 2) * step // STEPS
    small = picture.resize((side, side), Image.Resampling.BOX)
    return small.resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _bytes(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
