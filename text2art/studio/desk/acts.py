"""Drawing, stopping, going on, looking at the gallery: what a page's buttons do."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from text2art.errors import SettingsError, Text2ArtError
from text2art.studio.client.errors import StudioAway, StudioError
from text2art.studio.client.follow import News, delays, follow, rest
from text2art.studio.client.http import Client, Visit
from text2art.studio.client.shapes import Catalog, Job
from text2art.studio.desk import words
from text2art.studio.desk.form import Form

PAGE = 12  # pictures of the gallery at a time
_STILLS = ("png", "webp", "jpg", "jpeg", "gif")
_AT_ONCE = 4  # files that are fetched for one gallery
_FOLDER = "text2art-page-"


@dataclass
class Seat(Visit):
    """One visitor of a page, in one tab.

    Attributes:
        job_id: the job that is looked at, or "".
        asked: the prompt that it was asked with; "" where that is not known.
        leaving: whether the visitor does not want to wait for the studio any longer.
    """

    job_id: str = ""
    asked: str = ""
    leaving: bool = False

    def kept(self) -> dict[str, str]:
        """Return what a browser keeps, so that the same tab, opened again, goes on."""
        return {"job": self.job_id, "cookie": self.cookie}


@dataclass(frozen=True)
class Stage:
    """What a page shows beside its form; files are there until the next one is asked for.

    Attributes:
        status: HTML.
        running: whether there is something to stop.
        picture: a file; None leaves what is shown.
        fresh: whether another picture begins: what is shown of the last one goes.
        film: a file, or None.
        files: to be saved.
        settings: what the picture was drawn with.
        can_go_on: whether the picture can be drawn on.
        kept: what the browser keeps; None leaves what it has.
    """

    status: str
    running: bool = False
    picture: Path | None = None
    fresh: bool = False
    film: Path | None = None
    files: tuple[Path, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    can_go_on: bool = False
    kept: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Wall:
    """Pictures of the gallery; `next` is the cursor of what follows, "" at the end."""

    pictures: tuple[tuple[Path, Job], ...] = ()
    status: str = ""
    next: str = ""


class Desk:
    """What can be done with a studio; one for all visitors, each of whom has a `Seat`."""

    def __init__(self, client: Client, catalog: Catalog) -> None:
        self.client, self.catalog = client, catalog

    async def draw(self, form: Form, seat: Seat) -> AsyncGenerator[Stage, None]:
        """Hand a picture in and follow it to its end."""
        once = uuid.uuid4().hex  # a request whose answer was lost does not draw twice

        async def submit() -> Job:
            key = await self._uploaded(form.init_image, seat)
            return await self.client.submit(form.body(self.catalog, key), seat, once=once)

        if not form.prompts.strip() and not form.init_image and not form.more.strip():
            yield Stage(words.problem(SettingsError("write what you want to see")))
            return
        async with aclosing(self._hand_in(submit, form.prompts.strip(), seat)) as stages:
            async for stage in stages:
                yield stage

    async def go_on(
        self, form: Form, iterations: float | None, seat: Seat
    ) -> AsyncGenerator[Stage, None]:
        """Draw on from the last picture, by other words where the prompt was changed meanwhile."""
        once, job_id = uuid.uuid4().hex, seat.job_id
        changes: dict[str, Any] = {"iterations": int(iterations)} if iterations else {}
        prompt = form.prompts.strip()
        if prompt and seat.asked and prompt != seat.asked:
            changes["prompts"] = prompt
        if form.public is not None:
            changes["public"] = form.public

        async def submit() -> Job:
            return await self.client.go_on(job_id, changes, seat, once=once)

        if not job_id:
            yield Stage(words.problem(SettingsError("there is no picture to go on from")))
            return
        async with aclosing(self._hand_in(submit, prompt, seat, on=True)) as stages:
            async for stage in stages:
                yield stage

    async def resume(self, kept: Any, seat: Seat) -> AsyncGenerator[Stage, None]:
        """Show again what a browser was looking at when its page was closed or loaded anew."""
        said = kept if isinstance(kept, dict) else {}
        job_id, cookie = str(said.get("job") or ""), str(said.get("cookie") or "")
        if not job_id.isalnum() or not cookie.isascii() or not cookie.isprintable():
            return
        seat.cookie, seat.leaving, waits = cookie or seat.cookie, False, delays()
        while True:
            try:
                job = await self.client.job(job_id, seat)
                break
            except StudioAway as error:
                delay = error.wait or next(waits)
                yield Stage(words.retrying(error, delay), running=True)
                if not await rest(delay, lambda: not seat.leaving):
                    yield Stage(words.problem(error))
                    return
            except StudioError:
                return  # it was deleted, or is no longer ours
        seat.job_id = job_id
        async with aclosing(self._watched(job, seat)) as stages:
            async for stage in stages:
                yield stage

    async def stop(self, seat: Seat) -> str:
        """Stop what is drawn, which keeps its last picture; return what there is to say, or ""."""
        seat.leaving = True  # also what is not handed in yet
        if not seat.job_id:
            return ""
        try:
            await self.client.cancel(seat.job_id, seat)
        except StudioError as error:
            if error.status == 409:
                return ""  # it ended meanwhile
            return words.problem(error)
        return ""

    async def gallery(self, search: str, cursor: str, seat: Seat) -> AsyncGenerator[Wall, None]:
        """Return published pictures, newest first; once."""
        with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
            try:
                found = await self.client.gallery(
                    seat, words=search.strip(), cursor=cursor, limit=PAGE
                )
                few = asyncio.Semaphore(_AT_ONCE)
                jobs = [job for job in found.jobs if job.preview]
                files = await asyncio.gather(
                    *(
                        self._shown(job, Path(folder) / str(n), seat, few)
                        for n, job in enumerate(jobs)
                    )
                )
            except StudioError as error:
                yield Wall(status=words.problem(error))
                return
            pictures = tuple((file, job) for file, job in zip(files, jobs, strict=True) if file)
            nothing = "No picture fits." if search.strip() else "Nobody has shown a picture yet."
            yield Wall(pictures, "" if pictures else words.hint(nothing), found.next)

    async def notices(self, prompts: str, styles: list[str], seat: Seat) -> str:
        """Return what the studio has to say about a prompt as it is being written."""
        if not prompts.strip():
            return ""
        try:
            return words.notices((await self.client.read_prompt(prompts, styles, seat)).notices)
        except StudioAway:
            return ""  # said when it matters
        except StudioError as error:
            return words.problem(error)

    async def colors(self, palette: str, seat: Seat) -> str:
        """Return the colors of a palette, by name or in words."""
        known = self.catalog.palettes.get(palette.strip())
        if known is not None or not palette.strip():
            return words.swatches(known or ())
        try:
            return words.swatches(await self.client.read_palette(palette, seat))
        except StudioAway:
            return ""
        except StudioError as error:
            return words.problem(error)

    # ---- inside --------------------------------------------------------------------------------

    async def _hand_in(
        self, submit: Callable[[], Awaitable[Job]], asked: str, seat: Seat, *, on: bool = False
    ) -> AsyncGenerator[Stage, None]:
        """Submit a job, patiently, and follow it; `on`: the picture that is shown stays."""
        seat.leaving, waits = False, delays()
        if not on:
            seat.job_id = ""
        yield Stage(words.hint("Handing it in ..."), running=True, fresh=not on)
        while True:
            try:
                job = await submit()
                break
            except StudioAway as error:
                if error.status == 429:  # the studio is there, and says no
                    yield Stage(words.problem(error), can_go_on=on)
                    return
                delay = error.wait or next(waits)
                yield Stage(words.retrying(error, delay), running=True)
                if not await rest(delay, lambda: not seat.leaving):
                    yield Stage(words.problem(error), can_go_on=on)
                    return
            except Text2ArtError as error:
                yield Stage(words.problem(error), can_go_on=on)
                return
        seat.job_id, seat.asked = job.id, asked
        if seat.leaving:  # stopped while it was being handed in
            await self.stop(seat)
        async with aclosing(self._watched(job, seat)) as stages:
            async for stage in stages:
                yield stage

    async def _watched(self, job: Job, seat: Seat) -> AsyncGenerator[Stage, None]:
        """Follow a job, fetching each picture; leaves the job alone when it is closed."""
        with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
            shown, number, kept = "", 0, seat.kept()
            news = News(job, job.preview)
            try:
                stream = follow(self.client, job, seat, lambda: not seat.leaving)
                async with aclosing(stream):
                    async for news in stream:
                        if news.job.ended:
                            break
                        picture, fetched = None, ""
                        if news.frame and news.frame != shown and news.away is None:
                            number += 1
                            fetched = news.frame
                            place = Path(folder) / str(number)
                            picture = await self._fetched(fetched, place, seat)
                            shown = fetched if picture else shown
                        yield Stage(
                            words.progress(news),
                            running=True,
                            picture=picture,
                            settings=used(news.job),
                            kept=kept,
                        )
                if news.job.ended:
                    yield await self._end(news, Path(folder) / "end", seat, kept)
                elif news.away is not None:
                    told = "Load the page again to look for the picture: it is drawn on."
                    yield Stage(words.problem(news.away) + words.hint(told), kept=kept)
            except StudioError as error:
                yield Stage(words.problem(error), kept=kept)

    async def _end(self, news: News, folder: Path, seat: Seat, kept: Mapping[str, str]) -> Stage:
        job = news.job
        film_ending = str(job.settings.get("video_format", "mp4"))
        filmed = job.settings.get("make_video") is True or "mp4" in job.files
        found: dict[str, Path] = {}
        for ending, url in job.files.items():
            file = await self._fetched(_to_save(url), folder / ending, seat)
            if file is not None:
                found[ending] = file
        film = found.get(film_ending) if filmed else None
        stills = [found[e] for e in _STILLS if e in found and found[e] != film]
        picture = stills[0] if stills else None
        if picture is None and job.preview:
            picture = await self._fetched(job.preview, folder / "preview", seat)
        return Stage(
            words.finished(job, news.notices),
            picture=picture,
            film=film,
            files=tuple(found.values()),
            settings=used(job),
            can_go_on=picture is not None,
            kept=kept,
        )

    async def _fetched(self, url: str, folder: Path, seat: Seat) -> Path | None:
        """Fetch a file into a folder of its own; None where it cannot be had now."""
        for delay in (0.5, 0.0):
            try:
                file = await self.client.fetch(url, seat)
            except StudioAway:
                await asyncio.sleep(delay)
                continue
            except StudioError:
                return None  # it was replaced or cleared away meanwhile
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / file.name
            path.write_bytes(file.data)
            return path
        return None

    async def _shown(
        self, job: Job, folder: Path, seat: Seat, few: asyncio.Semaphore
    ) -> Path | None:
        async with few:
            return await self._fetched(job.preview, folder, seat)

    async def _uploaded(self, path: str, seat: Seat) -> str:
        if not path:
            return ""
        file = Path(path)
        return await self.client.upload(file.read_bytes(), file.name, seat)


def used(job: Job) -> dict[str, Any]:
    """Return the settings of a job, the seed that was drawn included."""
    seed = {} if job.seed is None else {"seed": job.seed}
    return {**job.settings, **seed}


def _to_save(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}download=1"
