"""What a running job has to say, and whether it is still wanted: one thread beside the drawing."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from text2art.studio.events import MAX_EVENTS
from text2art.studio.model import Claim, EventType, Json, NewEvent, Progress, Verdict
from text2art.studio.queue.base import JobQueue
from text2art.studio.store import Store, checkpoint_key, frame_key
from text2art.studio.worker.inputs import sha256
from text2art.studio.worker.runner import Frame, Wish

log = logging.getLogger(__name__)

_LOOK = 0.25  # seconds between looks for a cancel
_REPORT = 0.5  # seconds between reports, when there is something to say
_MOST_WAITING = 10 * MAX_EVENTS  # events, while the database is away
_WISHES = {Verdict.CANCEL: Wish.CANCEL, Verdict.LOST: Wish.LOST}


class Report:
    """A `runner.Sink` that keeps a claim alive. Use as a context manager around the drawing."""

    def __init__(self, queue: JobQueue, store: Store, claim: Claim) -> None:
        self._queue, self._store, self._claim = queue, store, claim
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._progress: Progress | None = None
        self._events: list[NewEvent] = []
        self._checkpoint: Json | None = None
        self._named = claim.checkpoint  # the checkpoint that the job's row names
        self._numbered = -1  # the last checkpoint of this attempt
        self._wish = Wish.GO
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="heartbeat", daemon=True)
        self._heard = time.monotonic()  # the claim was ours for certain

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop keeping the claim alive."""
        self._over.set()
        self._thread.join()

    # ---- said by the runner --------------------------------------------------------------------

    @property
    def wish(self) -> Wish:
        """What is wanted of the drawing."""
        return self._wish

    def ask_to_stop(self) -> None:
        """Let the drawing make a checkpoint and end, unless it is to end anyway."""
        with self._lock:
            if self._wish is Wish.GO:
                self._wish = Wish.STOP

    def progress(self, progress: Progress) -> None:
        """See `runner.Sink`."""
        with self._lock:
            self._progress = progress

    def score(self, step: int, score: float | None, loss: float | None) -> None:
        """See `runner.Sink`."""
        self._say(EventType.SCORE, {"step": step, "score": score, "loss": loss})

    def log(self, text: str) -> None:
        """See `runner.Sink`."""
        self._say(EventType.LOG, {"text": text})

    def notice(self, text: str) -> None:
        """See `runner.Sink`."""
        self._say(EventType.NOTICE, {"text": text})

    def frame(self, frame: Frame) -> None:
        """See `runner.Sink`."""
        key = frame_key(self._claim.job_id, self._claim.attempt, frame.step, frame.ending)
        self._store.put(key, frame.data)
        data: Json = {"step": frame.step, "key": key, "width": frame.width, "height": frame.height}
        self._say(EventType.FRAME, {**data, "tryout": True} if frame.tryout else data)

    def checkpoint(self, file: Path, step: int) -> None:
        """See `runner.Sink`: the file may be removed afterwards."""
        digest = sha256(file)
        # One of its own: a row that names a file must never find another one there.
        self._numbered = max(step, self._numbered + 1)
        key = checkpoint_key(self._claim.job_id, self._claim.attempt, self._numbered)
        self._store.put_file(key, file)
        facts = {"step": step, "key": key, "sha256": digest, "bytes": file.stat().st_size}
        with self._lock:
            skipped, self._checkpoint = self._checkpoint, facts
        if skipped is not None and skipped["key"] != key:
            self._store.delete(skipped["key"])  # no row has ever named it

    def _say(self, kind: EventType, data: Json) -> None:
        with self._lock:
            self._events.append(NewEvent(kind, data))
            if len(self._events) > _MOST_WAITING:
                logs = [e for e in self._events if e.type in (EventType.LOG, EventType.SCORE)]
                self._events.remove(logs[0] if logs else self._events[0])

    # ---- said to the queue ---------------------------------------------------------------------

    def flush(self) -> Wish:
        """Send all that was said; return what is wanted. Raises what the database raises."""
        while self._beat():
            pass
        return self._wish

    def _keep_alive(self) -> None:
        patience = self._claim.lease_seconds
        while not self._over.wait(min(_LOOK, patience / 10)) and self._wish is not Wish.LOST:
            since = time.monotonic() - self._heard
            try:
                if since >= patience / 5 or (since >= _REPORT and self._has_news()):
                    self._beat()
                else:
                    self._take(self._queue.look(self._claim))
            except Exception:
                log.exception("job %s: no heartbeat", self._claim.job_id)
                if time.monotonic() - self._heard > patience:
                    self._take(Verdict.LOST)  # another worker may have it by now

    def _has_news(self) -> bool:
        with self._lock:
            return bool(self._events or self._progress or self._checkpoint)

    def _beat(self) -> bool:
        """Send a heartbeat with what there is to say; return whether more is waiting."""
        with self._sending:
            with self._lock:
                progress, checkpoint = self._progress, self._checkpoint
                events = self._events[:MAX_EVENTS]
            before = time.monotonic()
            verdict = self._queue.heartbeat(self._claim, progress, events, checkpoint)
            with self._lock:
                del self._events[: len(events)]
                if self._progress is progress:
                    self._progress = None
                if self._checkpoint is checkpoint:
                    self._checkpoint = None
                more = bool(self._events)
            self._take(verdict)
            if verdict is Verdict.LOST:
                return False
            self._heard = before
            if checkpoint is not None:
                self._forget(self._named, checkpoint)
                self._named = checkpoint
            return more

    def _take(self, verdict: Verdict) -> None:
        with self._lock:
            if verdict in _WISHES and self._wish is not Wish.LOST:
                self._wish = _WISHES[verdict]

    def _forget(self, old: Json | None, new: Json) -> None:
        """Remove the checkpoint before the latest one, if it is the job's own."""
        if old and old.get("job_id") in (None, self._claim.job_id) and old["key"] != new["key"]:
            self._store.delete(old["key"])
