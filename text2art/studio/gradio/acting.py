"""What happens when somebody writes, clicks or comes back."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from text2art.studio.desk import words
from text2art.studio.desk.acts import Desk, Seat, used
from text2art.studio.desk.form import of_settings
from text2art.studio.gradio.look import manner
from text2art.studio.gradio.showing import Showing

_TYPING = 0.3  # seconds between two readings of a prompt while it is typed


class Page(Showing):
    """Boxes and buttons, and what they do by way of a `Desk`."""

    def __init__(self, gr: Any, desk: Desk) -> None:
        super().__init__(gr, desk)
        self.blocks.queue(default_concurrency_limit=None, api_open=False)
        shown = manner(gr, desk.catalog)  # unless `launch` is told otherwise
        self.blocks.launch = functools.partial(self.blocks.launch, **shown)

    def _wire(self) -> None:
        gr = self.gr
        live = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": None,
        }
        once = {**live, "trigger_mode": "once"}
        latest = {**live, "trigger_mode": "always_last"}
        boxes = list(self.form.values())
        stage = [
            self.status,
            self.draw,
            self.stop,
            self.picture,
            self.after,
            self.film,
            self.moving,
            self.files,
            self.used_box,
            self.used,
            self.kept,
        ]
        prompts, styles, palette = (self.form[n] for n in ("prompts", "styles", "palette"))
        gr.on(
            [self.draw.click, prompts.submit],
            self._on_draw,
            [self.seat, *boxes],
            stage,
            **once,
        )
        self.go_on.click(self._on_go_on, [self.seat, self.further, *boxes], stage, **once)
        self.stop.click(self._on_stop, [self.seat], [self.status, self.stop], **once)
        self.blocks.load(self._on_load, [self.seat, self.kept], stage, **once)
        gr.on(
            [prompts.change, styles.change],
            self._on_words,
            [self.seat, prompts, styles],
            self.notices,
            **latest,
        )
        palette.change(self._on_palette, [self.seat, palette], self.colors, **latest)
        self.form["drawer"].change(self._told, self.form["drawer"], self.drawer_hint, **latest)
        self.form["quality"].change(
            lambda name: gr.update(placeholder=self._usual(name)),
            self.form["quality"],
            self.form["iterations"],
            **latest,
        )
        wall = [self.wall, self.wall_status, self.jobs, self.cursor, self.older, self.chosen_box]
        gr.on(
            [self.gallery_tab.select, self.look.click, self.search.submit],
            self._on_gallery,
            [self.seat, self.search],
            wall,
            **latest,
        )
        self.older.click(self._on_gallery, [self.seat, self.search, self.cursor], wall, **once)

        def chosen(jobs: list[Any], event: Any) -> dict[Any, Any]:
            return self._on_chosen(jobs, event.index)

        chosen.__annotations__["event"] = gr.SelectData  # by which Gradio knows what to pass
        self.wall.select(chosen, self.jobs, [self.chosen_box, self.chosen, self.at], **latest)
        self.take.click(self._on_take, [self.jobs, self.at], [self.tabs, *boxes], **once)

    async def _on_draw(self, seat: Seat, *values: Any) -> AsyncGenerator[dict[Any, Any], None]:
        async with aclosing(self.desk.draw(self._read(values), seat)) as stages:
            async for stage in stages:
                yield self._shown(stage)

    async def _on_go_on(
        self, seat: Seat, further: float | None, *values: Any
    ) -> AsyncGenerator[dict[Any, Any], None]:
        async with aclosing(self.desk.go_on(self._read(values), further, seat)) as stages:
            async for stage in stages:
                yield self._shown(stage)

    async def _on_load(self, seat: Seat, kept: Any) -> AsyncGenerator[dict[Any, Any], None]:
        yield {self.status: words.IDLE}  # of no stage at all Gradio would make empty components
        async with aclosing(self.desk.resume(kept, seat)) as stages:
            async for stage in stages:
                yield self._shown(stage)

    async def _on_stop(self, seat: Seat) -> dict[Any, Any]:
        told = await self.desk.stop(seat)
        button = self.gr.update(value="Stop" if told else "Stopping ...", interactive=bool(told))
        return {self.stop: button, **({self.status: told} if told else {})}

    async def _on_words(self, seat: Seat, prompts: str, styles: list[str]) -> str:
        await asyncio.sleep(_TYPING)
        return await self.desk.notices(prompts or "", styles or [], seat)

    async def _on_palette(self, seat: Seat, palette: str | None) -> str:
        return await self.desk.colors(palette or "", seat)

    async def _on_gallery(
        self, seat: Seat, search: str, cursor: str = ""
    ) -> AsyncGenerator[dict[Any, Any], None]:
        async with aclosing(self.desk.gallery(search or "", cursor, seat)) as walls:
            async for wall in walls:
                yield self._hung(wall)

    def _on_chosen(self, jobs: list[Any], at: int) -> dict[Any, Any]:
        shown = self.gr.update(visible=True)
        return {self.chosen_box: shown, self.chosen: used(jobs[at]), self.at: at}

    def _on_take(self, jobs: list[Any], at: int | None) -> dict[Any, Any]:
        if at is None or at >= len(jobs):
            return {self.tabs: self.gr.skip()}
        form = of_settings(used(jobs[at]), self.desk.catalog)
        skipped = ("init_image", "public")
        boxes = {box: getattr(form, name) for name, box in self.form.items() if name not in skipped}
        boxes[self.form["styles"]] = list(form.styles)
        return {self.tabs: self.gr.update(selected="draw"), **boxes}
