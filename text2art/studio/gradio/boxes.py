"""What is on the page: boxes to write and choose in, buttons, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from text2art.studio.desk import words
from text2art.studio.desk.acts import Desk, Seat
from text2art.studio.desk.form import default
from text2art.studio.gradio.look import HEAD

_ASPECTS = ("square", "portrait", "widescreen", "retain")
_FURTHER = (25, 50, 100, 250, 500)  # steps of "Continue"
_CLEARED = (3600, 86_400)  # seconds between looks for old files, and how old they get


class Boxes:
    """Components of a `gradio.Blocks`.

    Attributes:
        gr: Gradio.
        desk: what things are done by.
        form: components by the names of `Form`.
        blocks: all of it.
    """

    def __init__(self, gr: Any, desk: Desk) -> None:
        self.gr, self.desk = gr, desk
        self.form: dict[str, Any] = {}
        with gr.Blocks(
            title="text2art", analytics_enabled=False, delete_cache=_CLEARED
        ) as self.blocks:
            self.seat = gr.State(Seat())
            self.kept = gr.BrowserState(None, storage_key="text2art")
            gr.HTML(HEAD)
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

    def _wire(self) -> None:
        """Say what happens, now that all boxes are there: nothing yet."""

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

    def _told(self, drawer: str | None) -> str:
        return words.hint(self.desk.catalog.drawers.get(drawer or "", ""))

    def _usual(self, quality: str | None) -> str:
        return str(self.desk.catalog.iterations.get(quality or "", ""))
