"""A page for notebooks and Hugging Face Spaces, made with Gradio: a thin client of a studio's API.

from text2art.studio.gradio import page

page("https://studio.example.org").launch()
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from text2art.errors import MissingExtra, SettingsError
from text2art.studio.client.errors import StudioAway
from text2art.studio.client.http import DEFAULT_URL, Client, address, read_catalog
from text2art.studio.desk import words
from text2art.studio.desk.acts import Desk, Seat, Stage, Wall, used
from text2art.studio.desk.form import Form, default, of_settings

KEY = "TEXT2ART_STUDIO_KEY"  # the environment variable of the studio's API key
_ASPECTS = ("square", "portrait", "widescreen", "retain")
_FURTHER = (25, 50, 100, 250, 500)  # steps of "Continue"
_CLEARED = (3600, 86_400)  # seconds between looks for old files, and how old they get
_FONTS = ("Inter", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_TYPING = 0.3  # seconds between two readings of a prompt while it is typed
_MONO = ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")
_HEAD = (
    "<div class='t2a-head'><b>text2<i>art</i></b>"
    "<span>Words in, a picture that forms before your eyes out.</span></div>"
)
_LOGO = Path(__file__).parent / "web" / "icon.svg"
_LOOK = Path(__file__).parent / "desk" / "page.css"


def page(url: str = DEFAULT_URL, key: str | None = None) -> Any:
    """Return a page on top of a studio: a `gradio.Blocks`, whose `launch` shows it.

    Everything to choose from is asked of the studio, once: make the page anew after an update of
    it. With a key, all visitors of the page draw as its owner; each sees their own picture alone.

    Args:
        url: the studio's address.
        key: an API key of the studio; default: the environment variable TEXT2ART_STUDIO_KEY.

    Raises:
        MissingExtra: Gradio is not installed.
        SettingsError: the address or the key cannot be one.
        StudioError: something else answers there, or the key is not known.
        StudioAway: nobody answers.
    """
    gr = _gradio()
    token = os.environ.get(KEY, "") if key is None else key
    catalog = read_catalog(url, token)
    return _Page(gr, Desk(Client(url, token), catalog)).blocks


def _gradio() -> Any:
    # Before it is imported: it would tell its makers of every start.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError:
        raise MissingExtra("the page needs gradio: pip install 'text2art[gradio]'") from None
    return gradio


class _Page:
    """Boxes and buttons, and what they do by way of a `Desk`."""

    def __init__(self, gr: Any, desk: Desk) -> None:
        self.gr, self.desk = gr, desk
        self.form: dict[str, Any] = {}  # components by the names of `Form`
        with gr.Blocks(
            title="text2art", analytics_enabled=False, delete_cache=_CLEARED
        ) as self.blocks:
            self.seat = gr.State(Seat())
            self.kept = gr.BrowserState(None, storage_key="text2art")
            gr.HTML(_HEAD)
            with gr.Tabs() as self.tabs:
                with gr.Tab("Draw", id="draw"):
                    self._prompt()
                    with gr.Row(equal_height=False):
                        with gr.Column(scale=5, min_width=300):
                            self._form()
                        # Narrow windows show it above the form: page.css
                        with gr.Column(scale=6, min_width=300, elem_classes="t2a-stage"):
                            self._stage()
                with gr.Tab("Gallery", id="gallery") as self.gallery_tab:
                    self._gallery()
            self._wire()
        self.blocks.queue(default_concurrency_limit=None, api_open=False)
        self.blocks.launch = functools.partial(self.blocks.launch, **self._manner())

    def _manner(self) -> dict[str, Any]:
        """Return how the page is shown, unless `launch` is told otherwise."""
        gr = self.gr
        theme = gr.themes.Base(
            primary_hue="indigo", neutral_hue="zinc", font=_FONTS, font_mono=_MONO
        ).set(
            body_background_fill="*neutral_50",
            body_text_color_subdued="*neutral_600",
            body_text_color_subdued_dark="*neutral_400",
            block_info_text_color="*neutral_600",
            block_info_text_color_dark="*neutral_400",
            input_placeholder_color="*neutral_500",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_dark="*primary_500",
            button_primary_text_color="white",
            button_primary_text_color_dark="white",
            button_cancel_background_fill="*neutral_800",
            button_cancel_background_fill_dark="*neutral_200",
            button_cancel_background_fill_hover="*neutral_700",
            button_cancel_background_fill_hover_dark="*neutral_300",
            button_cancel_text_color="white",
            button_cancel_text_color_dark="*neutral_900",
        )
        most = self.desk.catalog.caps.get("upload_bytes")
        return {
            "theme": theme,
            "css": _LOOK.read_text(encoding="utf-8"),
            "favicon_path": str(_LOGO),
            "footer_links": [],
            "run_history": False,
            "enable_monitoring": False,
            "ssr_mode": False,
            "max_file_size": int(most) if most else None,
        }

    # ---- what there is -------------------------------------------------------------------------

    def _prompt(self) -> None:
        gr = self.gr
        self.form["prompts"] = gr.Textbox(
            label="What shall be drawn?",
            placeholder="a sailboat on the sea",
            lines=2,
            max_lines=6,
            max_length=8000,
            elem_id="prompt",
            elem_classes="t2a-prompt",
            autofocus=True,
        )
        self.notices = gr.HTML("", elem_classes="t2a-hint", elem_id="notices")
        with gr.Row():
            self.draw = gr.Button("Draw", variant="primary", elem_id="draw-button")
            self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-button")

    def _form(self) -> None:
        gr, catalog, form = self.gr, self.desk.catalog, self.form
        form["drawer"] = gr.Radio(
            list(catalog.drawers),
            value=default(catalog, "drawer"),
            label="Drawer",
            visible=bool(catalog.drawers),
            elem_id="drawer",
        )
        self.drawer_hint = gr.HTML(self._told(default(catalog, "drawer")), elem_classes="t2a-hint")
        with gr.Row():
            form["quality"] = self._choice("quality", "Quality")
            form["aspect"] = self._choice("aspect", "Aspect", _ASPECTS, free=True)
        form["styles"] = gr.Dropdown(
            [(f"{one.title} ({one.category})", one.name) for one in catalog.styles],
            value=[],
            multiselect=True,
            label="Styles",
            info="Their words follow the prompt.",
            visible=bool(catalog.styles),
            elem_id="styles",
        )
        form["palette"] = gr.Dropdown(
            [("any colors", ""), *((name, name) for name in catalog.palettes)],
            value="",
            allow_custom_value=True,
            label="Palette",
            info="A name, or colors: #1a1c2c,red or black->gold",
            visible="palette" in catalog.fields,
        )
        self.colors = gr.HTML("", elem_classes="t2a-hint", elem_id="colors")
        with gr.Row():
            form["seed"] = gr.Textbox(
                label="Seed", placeholder="drawn", info="Same seed, same picture.", max_length=200
            )
            form["iterations"] = gr.Textbox(
                label="Iterations",
                placeholder=self._usual(default(catalog, "quality")),
                info="Default: the quality's.",
                max_length=10,
                elem_id="iterations",
            )
        with gr.Accordion("Start from a picture", open=False):
            form["init_image"] = gr.Image(
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                show_label=False,
                height=220,
                elem_id="init-image",
            )
            form["init_weight"] = gr.Textbox(
                label="How much it holds to it",
                placeholder=str(default(catalog, "init_weight")),
                max_length=20,
                visible="init_weight" in catalog.fields,
            )
        with gr.Row():
            form["make_video"] = gr.Checkbox(
                label="Make a film of it", visible="make_video" in catalog.fields
            )
            form["public"] = gr.Checkbox(label="Show it in the gallery", value=catalog.publishes)
        with gr.Accordion("All other settings", open=False):
            form["more"] = gr.Textbox(
                show_label=False,
                placeholder="one a line, as\npixel.cells: 36x36\nlosses: symmetry:1",
                lines=3,
                max_lines=12,
                elem_classes="t2a-more",
                elem_id="more",
            )
            gr.HTML(words.table(catalog, tuple(form)))

    def _stage(self) -> None:
        gr = self.gr
        self.status = gr.HTML(words.IDLE, elem_id="status", elem_classes="t2a-hint")
        self.picture = gr.Image(
            label="Picture",
            show_label=False,
            interactive=False,
            type="filepath",
            buttons=["download", "fullscreen"],
            elem_id="picture",
        )
        most = self.desk.catalog.caps.get("iterations", max(_FURTHER))
        further = [steps for steps in _FURTHER if steps <= most]
        with gr.Row(visible=False) as self.after:
            self.go_on = gr.Button("Continue", scale=1, elem_id="continue-button")
            self.further = gr.Dropdown(
                [(f"{steps} more steps", steps) for steps in further],
                value=100 if 100 in further else None,
                label="Further steps",
                show_label=False,
                container=False,
                scale=1,
                min_width=180,
            )
        self.film = gr.Video(label="Film", visible=False, interactive=False, elem_id="film")
        self.moving = gr.Image(
            label="Film", visible=False, interactive=False, type="filepath", elem_id="moving"
        )
        self.files = gr.Files(label="Files", visible=False, interactive=False, elem_id="files")
        with gr.Accordion("Settings used", open=False, visible=False) as self.used_box:
            self.used = gr.JSON(show_label=False, elem_id="used")

    def _gallery(self) -> None:
        gr = self.gr
        with gr.Row():
            self.search = gr.Textbox(
                show_label=False,
                placeholder="words of prompt, drawer or style",
                scale=4,
                max_length=200,
                elem_id="search",
            )
            self.look = gr.Button("Search", scale=1, min_width=100)
        self.wall_status = gr.HTML("", elem_classes="t2a-hint")
        self.wall = gr.Gallery(
            show_label=False,
            columns=4,
            height="auto",
            object_fit="contain",
            interactive=False,
            buttons=["download", "fullscreen"],
            elem_id="wall",
        )
        self.jobs = gr.State([])
        self.cursor = gr.State("")
        self.older = gr.Button("Older ones", visible=False, elem_id="older-button")
        with gr.Row(visible=False) as self.chosen_box:
            self.chosen = gr.JSON(show_label=False, open=True, elem_id="chosen")
            self.take = gr.Button("Draw with these settings", scale=0, min_width=220)
        self.at = gr.State(None)

    def _choice(
        self, name: str, label: str, usual: Sequence[str] = (), *, free: bool = False
    ) -> Any:
        """Return a box for a choice of the studio's; `usual` is offered where its help names it."""
        field = self.desk.catalog.fields.get(name)
        help_ = field.help if field else ""
        choices = list(field.choices if field else ()) or [one for one in usual if one in help_]
        return self.gr.Dropdown(
            choices,
            value=field.default if field else None,
            label=label,
            allow_custom_value=free,
            visible=field is not None,
            min_width=140,
            elem_id=name,
        )

    # ---- what happens --------------------------------------------------------------------------

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

    # ---- between the two -----------------------------------------------------------------------

    def _read(self, values: Sequence[Any]) -> Form:
        found: dict[str, Any] = dict(zip(self.form, values, strict=True))
        found["styles"] = tuple(found["styles"] or ())
        found = {name: "" if value is None else value for name, value in found.items()}
        return Form(**found)

    def _shown(self, stage: Stage) -> dict[Any, Any]:
        """Return a stage as updates of components."""
        update = self.gr.update
        shown: dict[Any, Any] = {
            self.status: stage.status,
            self.draw: update(visible=not stage.running),
            self.after: update(visible=stage.can_go_on),
        }
        if stage.running:  # "Stopping ..." stays until it has ended
            shown[self.stop] = update(visible=True)
        else:
            shown[self.stop] = update(visible=False, value="Stop", interactive=True)
        if stage.picture is not None:
            shown[self.picture] = str(stage.picture)
        if stage.fresh:
            shown |= {self.picture: None, self.files: update(value=None, visible=False)}
            shown |= {self.used_box: update(visible=False)}
        if stage.fresh or stage.film is not None:
            film = None if stage.film is None else str(stage.film)
            plays = film is not None and film.endswith(".mp4")
            shown[self.film] = update(value=film if plays else None, visible=plays)
            moves = film is not None and not plays
            shown[self.moving] = update(value=film if moves else None, visible=moves)
        if stage.files:
            shown[self.files] = update(value=[str(file) for file in stage.files], visible=True)
        if stage.settings:
            shown |= {self.used_box: update(visible=True), self.used: dict(stage.settings)}
        if stage.kept is not None:
            shown[self.kept] = dict(stage.kept)
        return shown

    def _hung(self, wall: Wall) -> dict[Any, Any]:
        return {
            self.wall: [(str(file), job.prompt[:200]) for file, job in wall.pictures],
            self.wall_status: wall.status,
            self.jobs: [job for _, job in wall.pictures],
            self.cursor: wall.next,
            self.older: self.gr.update(visible=bool(wall.next)),
            self.chosen_box: self.gr.update(visible=False),
        }

    def _told(self, drawer: str | None) -> str:
        return words.hint(self.desk.catalog.drawers.get(drawer or "", ""))

    def _usual(self, quality: str | None) -> str:
        return str(self.desk.catalog.iterations.get(quality or "", ""))


def serve(
    url: str,
    key: str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Show a page until Ctrl-C.

    Args:
        url: the studio's address.
        key: an API key of the studio; default: of the environment.
        host: address to listen on.
        port: default: the first free one from 7860.
        share: whether Gradio's servers give it a public address.
        say: told where the page is.

    Raises:
        Text2ArtError: as `page`; or the port is taken.
    """
    try:
        made = page(url, key)
    except StudioAway as error:
        raise StudioAway(
            error.error, "Run 'text2art studio', or name another with --studio"
        ) from None
    try:
        made.launch(
            server_name=host, server_port=port, share=share, prevent_thread_lock=True, quiet=True
        )
    except OSError as error:
        told = f"port {port} of {host}" if port else f"{host}, ports 7860 to 7959"
        raise SettingsError(f"cannot listen on {told}: give another --port or --host") from error
    try:
        say(f"The page is at {made.local_url} and draws by {address(url)}")
        if made.share_url:
            say(f"Everybody finds it at {made.share_url}")
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        made.close(verbose=False)
