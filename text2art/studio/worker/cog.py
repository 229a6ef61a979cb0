"""The runner in a Cog container: drawing over HTTP, and all that containers do wrong.

A prediction is made with PUT and watched as server-sent events: when this process dies, the
connection breaks, and Cog cancels the prediction, so that the container is free for whoever gets
the job. Containers make no checkpoints: a job that was broken off begins anew.

A container that draws for somebody else is busy; one whose worker has died says UNHEALTHY (or goes
on saying BUSY, or answers 409) for ever, until something restarts it. Either way it is asked again
later, and no job is lost by it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from text2art.errors import SettingsError
from text2art.studio import intake
from text2art.studio.config import StudioConfig
from text2art.studio.model import Json, Progress, State
from text2art.studio.worker.coginputs import inputs_of
from text2art.studio.worker.cogoutputs import Outputs
from text2art.studio.worker.cogstream import Broken, events
from text2art.studio.worker.runner import (
    Ended,
    JobFailed,
    OneByOne,
    RunnerDied,
    Sink,
    Task,
    Wish,
)

log = logging.getLogger(__name__)

MOST_CONTAINERS = 64
_POLL = 0.1  # seconds
_ANSWER_SECONDS = 10.0
_CANCEL_SECONDS = 60.0  # in which a canceled prediction has to end: one call is never interrupted
_BUSY_SECONDS = 3.0  # before a job that found its container busy starts again
_DOWN_SECONDS = 30.0  # before a container that hung is asked again
_MISTAKE = "InputError: "
_CRASHED = ("Worker crashed", "Broken pipe")
_DOWN = ("UNHEALTHY", "SETUP_FAILED", "DEFUNCT")


def addresses(text: str) -> list[str]:
    """Read the addresses of containers, separated by commas.

    Raises:
        SettingsError: one is none, or there are too many.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        address = part if "://" in part else f"http://{part}"
        try:
            split = urlsplit(address)
            usable = split.scheme in ("http", "https") and split.hostname and split.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise SettingsError(f"runner cog={part!r}: give an address, as http://10.0.0.2:5000")
        found.append(address.rstrip("/"))
    if not 1 <= len(found) <= MOST_CONTAINERS:
        raise SettingsError(f"runner cog names {len(found)} containers: 1 to {MOST_CONTAINERS}")
    return list(dict.fromkeys(found))


class CogRunner(OneByOne):
    """A `runner.Runner` on one container."""

    name = "cog"

    def __init__(self, config: StudioConfig, address: str) -> None:
        self._config, self._address = config, address
        split = urlsplit(address)
        self.device = f"{split.hostname}:{split.port}" if split.port else str(split.hostname)
        self._http = httpx.Client(
            base_url=address,
            timeout=httpx.Timeout(_ANSWER_SECONDS, read=None),
            trust_env=False,
            follow_redirects=False,
        )
        self._status = ""
        self._down_until = 0.0

    def ready(self) -> bool:
        """See `runner.Runner`: asks the container for its health."""
        if time.monotonic() < self._down_until:
            return False
        return self._ask() == "READY"

    def _ask(self) -> str:
        """Return the container's status, "" when it does not answer."""
        try:
            answer = self._http.get("/health-check", timeout=_ANSWER_SECONDS)
            status = str(answer.json()["status"])[:40] if len(answer.content) < 10**6 else ""
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            status = ""
        if status != self._status:
            level = logging.WARNING if status in ("", *_DOWN) else logging.INFO
            log.log(level, "container %s: %s", self.device, status or "does not answer")
            self._status = status
        return status

    def run(self, task: Task, sink: Sink) -> Ended:
        """See `runner.OneByOne`."""
        name = f"{task.claim.job_id}-{task.claim.attempt}"
        body = {"id": name, "input": inputs_of(task)}
        watch = _Watch(self._http, name, body)
        try:
            return _Prediction(self._config, self._address, task, sink, watch).follow()
        except RunnerDied as error:
            if error.blame:  # it hangs, or has died: no job until it has had time to restart
                self._down_until = time.monotonic() + min(_DOWN_SECONDS, self._config.lease_seconds)
            raise
        finally:
            watch.close()

    def stop(self) -> None:
        """See `runner.Runner`."""

    def close(self) -> None:
        """See `runner.Runner`."""
        self._http.close()


class _Watch:
    """A prediction's events, read in a thread, so that somebody may wait for other things, too."""

    def __init__(self, http: httpx.Client, name: str, body: Json) -> None:
        self._http, self.name, self._body = http, name, body
        self._events: queue.Queue[tuple[str, Json] | Exception] = queue.Queue(maxsize=64)
        self._closed = threading.Event()
        self._response: httpx.Response | None = None
        threading.Thread(target=self._read, name="container", daemon=True).start()

    def next(self, seconds: float) -> tuple[str, Json] | None:
        """Return the next event and its data, None when none comes in time.

        Raises:
            RunnerDied: the container is gone, or takes no job.
        """
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(event, Exception):
            raise event
        return event

    def cancel(self) -> None:
        """Ask the container to end the prediction."""
        with contextlib.suppress(httpx.HTTPError):
            self._http.post(f"/predictions/{self.name}/cancel", timeout=_ANSWER_SECONDS)

    def close(self) -> None:
        """Break the connection off: a prediction that still runs is canceled by that."""
        self._closed.set()
        response = self._response
        if response is not None:
            with contextlib.suppress(Exception):
                response.close()

    def _read(self) -> None:
        asked = self._http.build_request(
            "PUT",
            f"/predictions/{self.name}",
            json=self._body,
            headers={"Accept": "text/event-stream"},
        )
        try:
            response = self._response = self._http.send(asked, stream=True)
            with contextlib.closing(response):
                _check(response)
                for event in events(response.iter_bytes()):
                    self._put(event)
            self._put(RunnerDied("the container broke off the drawing"))
        except (RunnerDied, JobFailed) as error:
            self._put(error)
        except httpx.ConnectError as error:
            self._put(RunnerDied(f"the container is gone: {error}", blame=False, delay=1.0))
        except Broken as error:
            self._put(RunnerDied(f"the container sent something else: {error}"))
        except Exception as error:  # httpx and its layers raise many kinds when a peer dies
            self._put(RunnerDied(f"the container is gone: {type(error).__name__}: {error}"))

    def _put(self, event: tuple[str, Json] | Exception) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._events.put(event, timeout=_POLL)
                return


def _check(response: httpx.Response) -> None:
    """Make sure that a prediction has begun.

    Raises:
        RunnerDied: the container is busy, not ready, or no container of ours.
        JobFailed: it does not take the inputs.
    """
    code = response.status_code
    if code == 200 and "text/event-stream" in response.headers.get("content-type", ""):
        return
    text = b"".join(_first(response.iter_bytes(), 4000)).decode(errors="replace")
    said = " ".join(text.split())[:500]
    if code in (409, 503):
        word = "busy" if code == 409 else "not ready"
        raise RunnerDied(f"the container is {word}", blame=False, delay=_BUSY_SECONDS)
    if code in (400, 413, 422):
        raise JobFailed(f"the container refuses the settings: {said}")
    raise RunnerDied(f"the container answers {code}: {said}", blame=False, delay=_BUSY_SECONDS)


def _first(blocks: object, most: int) -> list[bytes]:
    kept: list[bytes] = []
    for block in blocks:  # type: ignore[attr-defined]
        kept.append(block[:most])
        if sum(map(len, kept)) >= most:
            break
    return kept


class _Prediction:
    """One job in a container, followed to its end."""

    def __init__(
        self, config: StudioConfig, address: str, task: Task, sink: Sink, watch: _Watch
    ) -> None:
        self._config, self._sink, self._watch = config, sink, watch
        self._outputs = Outputs(config, address, task, sink)
        self._steps = _steps_of(task.settings)
        self._metrics: dict[str, float] = {}
        self._began = time.monotonic()
        self._first_step: tuple[float, float] | None = None

    def follow(self) -> Ended:
        """Pass on what the container tells, and to it what is wanted.

        Raises:
            JobFailed, RunnerDied: as `runner.OneByOne.run`.
        """
        asked: Wish | None = None
        heard = time.monotonic()
        while True:
            if asked is None and self._sink.wish is not Wish.GO:
                asked = self._sink.wish
                self._watch.cancel()
                heard = time.monotonic()
            event = self._watch.next(_POLL)
            if event is None:
                patience = self._config.hang_seconds if asked is None else _CANCEL_SECONDS
                if time.monotonic() - heard > patience:
                    raise RunnerDied(f"the container did nothing for {patience:g} s")
                continue
            heard = time.monotonic()
            name, data = event
            if name == "completed":
                return self._end(data, asked)
            self._take(name, data)

    def _take(self, name: str, data: Json) -> None:
        if name == "metric":
            self._metric(str(data.get("name")), data.get("value"))
        elif name == "output" and isinstance(data.get("chunk"), str):
            self._outputs.take(data["chunk"], int(self._metrics.get("step", 0)))
        elif name == "log":
            for line in str(data.get("data", data.get("message", ""))).splitlines()[:20]:
                self._sink.log(line)

    def _metric(self, name: str, value: object) -> None:
        if name not in ("step", "loss", "score") or not isinstance(value, int | float):
            return
        self._metrics[name] = float(value)
        if name != "step":
            return
        step, now = float(value), time.monotonic()
        if self._first_step is None:
            self._first_step = (now, step)
        score, loss = self._metrics.get("score"), self._metrics.get("loss")
        self._sink.progress(Progress(int(step), self._steps, score, loss, self._eta(step, now)))
        self._sink.score(int(step), score, loss)

    def _eta(self, step: float, now: float) -> float | None:
        assert self._first_step is not None
        then, first = self._first_step
        return (self._steps - step) * (now - then) / (step - first) if step > first else None

    def _end(self, data: Json, asked: Wish | None) -> Ended:
        status, error = str(data.get("status")), str(data.get("error") or "")
        if asked in (Wish.STOP, Wish.LOST):
            return Ended(None)
        if status == "canceled":
            if asked is not Wish.CANCEL:
                raise RunnerDied("the container canceled the drawing", blame=False, delay=1.0)
            return Ended(State.CANCELED, self._outputs.last(), self._facts())
        if status == "succeeded":
            files = self._outputs.result()
            return Ended(State.DONE, files, self._facts())
        if _MISTAKE in error:
            raise JobFailed(" ".join(error.partition(_MISTAKE)[2].split())[:1000])
        crashed = any(word in error for word in _CRASHED)
        what = "the container's worker has died" if crashed else "the container failed"
        raise RunnerDied(f"{what}: {' '.join(error.split())[:300]}")

    def _facts(self) -> Mapping[str, object]:
        facts: Json = {"seconds": round(time.monotonic() - self._began, 3), "steps": self._steps}
        facts |= {"score": self._metrics.get("score"), "seed": self._outputs.seed}
        return {**facts, **self._outputs.size}


def _steps_of(settings: Json) -> int:
    from text2art.settings import Settings

    return intake.steps_of(Settings.of(**settings))
