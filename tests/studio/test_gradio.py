"""The Gradio page: its client and its buttons on the real API, and the page in a browser."""

from __future__ import annotations

import asyncio
import http.server
import importlib.util
import io
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.studio import browser
from tests.studio.puppet import STEPS, Puppet, final, serving
from text2art.cli.boundary import boundary
from text2art.cli.gradio import gradio as command
from text2art.errors import MissingExtra, SettingsError
from text2art.studio import accounts
from text2art.studio import gradio as gradio_page
from text2art.studio.client import follow
from text2art.studio.client.errors import StudioError
from text2art.studio.client.http import Client, Visit, address, read_catalog
from text2art.studio.client.shapes import Catalog, Job
from text2art.studio.config import StudioConfig
from text2art.studio.desk import words
from text2art.studio.desk.acts import Desk, Seat, Stage, Wall
from text2art.studio.desk.form import Form, of_settings, read_lines
from text2art.studio.gradio import opening
from text2art.studio.service import Studio

T = TypeVar("T")
SECONDS = 60.0
needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"
)
needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="gradio is not installed"
)


@pytest.fixture(scope="module")
def shared() -> Puppet:
    """Return who plays the worker."""
    return Puppet()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StudioConfig:
    """Return a studio that knows its visitors apart, as one on the web does."""
    return StudioConfig(
        data=tmp_path_factory.mktemp("studio"),
        port=0,
        mode="public",
        requests_per_minute=1000,
        reads_per_minute=100_000,
    )


@pytest.fixture(scope="module")
def url(shared: Puppet, config: StudioConfig) -> Iterator[str]:
    """Run the studio."""
    with serving(config, shared) as found:
        yield found


@pytest.fixture
def puppet(shared: Puppet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Puppet]:
    """Return the worker, who draws when he is told; what is left over is drawn in the end."""
    monkeypatch.setattr(follow, "_PAUSE_SECONDS", 0.05)
    shared.hold()
    yield shared
    shared.free = True


@pytest.fixture(scope="module")
def catalog(url: str) -> Catalog:
    """Return what the studio has."""
    return read_catalog(url)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine."""

    async def bounded() -> T:
        return await asyncio.wait_for(work, SECONDS)

    return asyncio.run(bounded())


def with_desk(
    url: str, catalog: Catalog, work: Callable[[Desk], Coroutine[Any, Any, T]], key: str = ""
) -> T:
    """Run work at a desk."""

    async def whole() -> T:
        client = Client(url, key)
        try:
            return await work(Desk(client, catalog))
        finally:
            await client.close()

    return run(whole())


async def watch(
    stages: AsyncGenerator[Stage, None], each: Callable[[Stage], object] = lambda stage: None
) -> list[tuple[Stage, bytes]]:
    """Go through stages to the end; return each with its picture."""
    seen = []
    async for stage in stages:
        seen.append((stage, stage.picture.read_bytes() if stage.picture else b""))
        each(stage)
    return seen


def going(puppet: Puppet) -> Callable[[Stage], object]:
    """Return what lets a picture come for each stage that is seen."""
    return lambda stage: puppet.go() if stage.running else None


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return bytes(image.convert("RGB").tobytes())


# ---- drawing ------------------------------------------------------------------------------------


def test_a_picture_forms_and_its_file_is_the_studios(
    url: str, catalog: Catalog, puppet: Puppet
) -> None:
    seat = Seat()

    async def work(desk: Desk) -> list[tuple[Stage, bytes]]:
        form = Form(prompts="a red apple", drawer="pixel", seed="7")
        return await watch(desk.draw(form, seat), going(puppet))

    seen = with_desk(url, catalog, work)
    forming = [picture for stage, picture in seen if stage.running and picture]
    assert len(set(forming)) >= 3
    end, picture = seen[-1]
    assert not end.running
    assert end.can_go_on
    assert pixels(picture) == final("['a red apple']").tobytes()
    assert end.settings == {"prompts": ["a red apple"], "drawer": "pixel", "seed": 7}
    assert [file.name for file in end.files] == ["a-red-apple-7.png"]
    assert "seed 7" in end.status
    assert f"{STEPS} steps" in end.status
    assert any(f"of {STEPS}" in stage.status for stage, _ in seen if stage.running)
    assert end.kept == {"job": seat.job_id, "cookie": seat.cookie}
    assert seat.cookie
    assert not any(file.exists() for file in end.files)  # the page has its own copy by then


def test_who_waits_is_told_the_place_in_the_queue(
    url: str, catalog: Catalog, puppet: Puppet
) -> None:
    async def work(desk: Desk) -> list[tuple[Stage, bytes]]:
        first = desk.draw(Form(prompts="first"), Seat())
        async for stage in first:
            if "Drawing" in stage.status:
                break

        def look(stage: Stage) -> None:
            if "1st in the queue" in stage.status:
                puppet.free = True

        seen = await watch(desk.draw(Form(prompts="second"), Seat()), look)
        await watch(first)
        return seen

    seen = with_desk(url, catalog, work)
    assert any("1st in the queue" in stage.status for stage, _ in seen)
    assert seen[-1][0].status.startswith("<p class='t2a-title'>second</p>")


def test_stop_keeps_the_last_picture_and_continue_goes_on_from_it(
    url: str, catalog: Catalog, puppet: Puppet
) -> None:
    seat = Seat()

    async def work(desk: Desk) -> tuple[list[tuple[Stage, bytes]], list[tuple[Stage, bytes]], Job]:
        stops: list[asyncio.Task[str]] = []

        def stop(stage: Stage) -> None:
            if stage.picture is None:
                puppet.go()
            elif not stops:
                stops.append(asyncio.create_task(desk.stop(seat)))

        stopped = await watch(desk.draw(Form(prompts="a lighthouse"), seat), stop)
        assert await stops[0] == ""
        parent = seat.job_id
        form = Form(prompts="a lighthouse at night", public=True)
        went = await watch(desk.go_on(form, 25, seat), going(puppet))
        assert seat.job_id != parent
        return stopped, went, await desk.client.job(seat.job_id, seat)

    stopped, went, job = with_desk(url, catalog, work)
    end, picture = stopped[-1]
    assert "Stopped" in end.status
    assert picture
    assert end.can_go_on
    assert went[-1][0].status.count("Done") == 1
    assert job.settings["iterations"] == 25
    assert job.settings["prompts"] == ["a lighthouse at night"]
    assert not any(stage.fresh for stage, _ in went)  # the picture stays until there is a newer one


def test_a_closed_tab_cancels_nothing_and_opens_again_where_it_was(
    url: str, catalog: Catalog, puppet: Puppet
) -> None:
    async def work(desk: Desk) -> tuple[Job, list[tuple[Stage, bytes]]]:
        seat = Seat()
        stages = desk.draw(Form(prompts="a harbor"), seat)
        async for stage in stages:
            puppet.go()
            if stage.picture is not None:
                break
        await stages.aclose()
        job = await desk.client.job(seat.job_id, seat)
        anew = Seat()
        seen = await watch(desk.resume(seat.kept(), anew), going(puppet))
        assert anew.job_id == seat.job_id
        return job, seen

    job, seen = with_desk(url, catalog, work)
    assert job.state == "running"
    assert not job.cancel_requested
    assert "Done" in seen[-1][0].status


def test_visitors_do_not_share_jobs(url: str, catalog: Catalog, puppet: Puppet) -> None:
    puppet.free = True

    async def work(desk: Desk) -> None:
        one, other = Seat(), Seat()
        await asyncio.gather(
            watch(desk.draw(Form(prompts="one"), one)),
            watch(desk.draw(Form(prompts="other"), other)),
        )
        assert one.cookie != other.cookie
        assert (await desk.client.job(one.job_id, one)).prompt == "one"
        with pytest.raises(StudioError) as refused:
            await desk.client.job(one.job_id, other)
        assert refused.value.status == 404
        assert await watch(desk.resume({"job": one.job_id, "cookie": other.cookie}, Seat())) == []

    with_desk(url, catalog, work)


@pytest.mark.parametrize("kept", [None, 5, {}, {"job": "../x"}, {"job": "0" * 26, "cookie": "\n"}])
def test_what_a_browser_says_it_kept_is_not_believed(url: str, catalog: Catalog, kept: Any) -> None:
    assert with_desk(url, catalog, lambda desk: watch(desk.resume(kept, Seat()))) == []


def test_a_film_is_not_taken_for_the_picture(
    url: str, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(desk: Desk) -> Stage:
        async def fetched(link: str, folder: Path, seat: Seat) -> Path:
            return folder / link.partition("?")[0].rpartition("/")[2]

        monkeypatch.setattr(desk, "_fetched", fetched)
        files = {ending: f"/r/result.{ending}?v=1" for ending in ("png", "svg", "webp")}
        settings = {"make_video": True, "video_format": "webp"}
        job = Job("0" * 26, "done", files=files, settings=settings)
        seen = await watch_files(desk._watched(job, Seat()))
        return seen[-1]

    end = with_desk(url, catalog, work)
    assert end.film is not None
    assert end.film.name == "result.webp"
    assert end.picture is not None
    assert end.picture.name == "result.png"
    assert [file.name for file in end.files] == ["result.png", "result.svg", "result.webp"]


async def watch_files(stages: AsyncGenerator[Stage, None]) -> list[Stage]:
    return [stage async for stage in stages]


def test_a_picture_to_start_from_is_uploaded(
    url: str, catalog: Catalog, puppet: Puppet, tmp_path: Path
) -> None:
    puppet.free = True
    file = tmp_path / "start.png"
    final("start").save(file)
    seat = Seat()

    async def work(desk: Desk) -> Job:
        form = Form(prompts="a cat", init_image=str(file), init_weight="0.5")
        await watch(desk.draw(form, seat))
        return await desk.client.job(seat.job_id, seat)

    settings = with_desk(url, catalog, work).settings
    assert settings["init_image"].startswith("uploads/")
    assert settings["init_weight"] == 0.5


def test_the_gallery_shows_what_was_published(url: str, catalog: Catalog, puppet: Puppet) -> None:
    puppet.free = True

    async def work(desk: Desk) -> tuple[Wall, bytes, Wall]:
        form = Form(prompts="a lantern in fog", more="pixel.cells: 20x20", public=True)
        await watch(desk.draw(form, Seat()))
        await watch(desk.draw(Form(prompts="a secret lantern", public=False), Seat()))
        walls, data = [], b""
        async for wall in desk.gallery("lantern", "", Seat()):
            walls.append(wall)
            data = wall.pictures[0][0].read_bytes()
        walls += [wall async for wall in desk.gallery("nothing of the kind", "", Seat())]
        return walls[0], data, walls[1]

    wall, data, empty = with_desk(url, catalog, work)
    assert [job.prompt for _, job in wall.pictures] == ["a lantern in fog"]
    assert pixels(data) == final("['a lantern in fog']").tobytes()
    form = of_settings(wall.pictures[0][1].settings, catalog)
    assert form.prompts == "a lantern in fog"
    assert form.more == "pixel.cells: [20, 20]"
    assert not empty.pictures
    assert "No picture" in empty.status


# ---- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Form(prompts="x", more="drawer: pixle"), "pixel"),
        (Form(prompts="x", more="pixel.cels: 3"), "cels"),
        (Form(prompts="x", iterations="many"), "iterations"),
        (Form(prompts="x", aspect="3x"), "aspect &#x27;3x&#x27; is not known"),
        (Form(prompts="x", more="nonsense"), "nonsense"),
        (Form(), "write what you want to see"),
        (Form(prompts="a cat:{"), "t2a-caret"),
    ],
)
def test_wrong_settings_are_said_as_the_studio_says_them(
    url: str, catalog: Catalog, form: Form, said: str
) -> None:
    seen = with_desk(url, catalog, lambda desk: watch(desk.draw(form, Seat())))
    end = seen[-1][0]
    assert said in end.status
    assert "role='alert'" in end.status
    assert not end.running


def test_prompts_and_palettes_are_looked_at_while_they_are_written(
    url: str, catalog: Catalog
) -> None:
    async def work(desk: Desk) -> tuple[str, ...]:
        seat = Seat()
        return (
            await desk.notices("a red apple", [], seat),
            await desk.notices("a cat:{", [], seat),
            await desk.colors("black->white", seat),
            await desk.colors("no such palette", seat),
            await desk.colors(next(iter(catalog.palettes)), seat),
        )

    good, bad, ramp, unknown, known = with_desk(url, catalog, work)
    assert "t2a-bad" not in good
    assert "t2a-caret" in bad
    assert "#000000" in ramp
    assert "#ffffff" in ramp
    assert "t2a-bad" in unknown
    assert next(iter(catalog.palettes.values()))[0] in known


def test_a_studio_that_comes_late_and_goes_away_is_waited_for(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_DELAYS", (0.2,))
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    config = StudioConfig(data=tmp_path, port=port)
    running: list[Any] = []

    def start(puppet: Puppet) -> None:
        running.append(serving(config, puppet))
        running[-1].__enter__()

    def end() -> None:
        running.pop().__exit__(None, None, None)

    async def work(desk: Desk) -> list[str]:
        told: list[str] = []
        first, second = Puppet(), Puppet()
        second.free = True
        try:
            async for stage in desk.draw(Form(prompts="a clock"), Seat()):
                told.append(stage.status)
                if "does not answer" in stage.status and len(told) < 4:
                    await asyncio.to_thread(start, first)
                elif stage.picture is not None and running and not second._thread:
                    await asyncio.to_thread(end)
                elif "does not answer" in stage.status and not running:
                    await asyncio.to_thread(start, second)
                else:
                    first.go()
        finally:
            if running:
                await asyncio.to_thread(end)
        return told

    told = with_desk(f"http://127.0.0.1:{port}", catalog, work)
    away = [line for line in told if "does not answer" in line]
    assert len(away) >= 2
    assert all("Trying again in" in line for line in away)
    assert "Done" in told[-1]


def test_who_does_not_want_to_wait_for_a_dead_studio_need_not(catalog: Catalog) -> None:
    async def work(desk: Desk) -> list[tuple[Stage, bytes]]:
        seat = Seat()

        def leave(stage: Stage) -> None:
            if "does not answer" in stage.status:
                seat.leaving = True

        return await watch(desk.draw(Form(prompts="a clock"), seat), leave)

    seen = with_desk(nobody(), catalog, work)
    assert "Trying again" not in seen[-1][0].status
    assert "does not answer" in seen[-1][0].status
    assert not seen[-1][0].running


# ---- the client ---------------------------------------------------------------------------------


def nobody() -> str:
    """Return an address at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        return f"http://127.0.0.1:{reserved.getsockname()[1]}"


def test_the_catalog_is_the_studios(catalog: Catalog) -> None:
    assert catalog.fields["quality"].default in catalog.fields["quality"].choices
    assert "pixel" in catalog.drawers
    assert catalog.iterations["normal"] > 0
    assert all(color.startswith("#") for colors in catalog.palettes.values() for color in colors)
    assert catalog.styles
    assert catalog.version


@pytest.mark.parametrize(
    "given", ["", "studio", "ftp://x", "http://", "http://u:p@x", "http://x?y"]
)
def test_what_is_no_address_is_said_to_be_none(given: str) -> None:
    with pytest.raises(SettingsError, match="no address"):
        address(given)


def test_a_key_is_sent_and_a_wrong_one_told(config: StudioConfig, url: str) -> None:
    studio = Studio.open(config)
    try:
        _, token = accounts.add_key(studio.engine, "page")
    finally:
        studio.close()
    assert read_catalog(url, token).drawers
    with pytest.raises(StudioError, match="not known") as refused:
        read_catalog(url, "t2a_wrong")
    assert refused.value.status == 401
    assert "t2a_wrong" not in str(refused.value)
    with pytest.raises(SettingsError, match="key"):
        read_catalog(url, "two words")


def test_the_key_goes_to_the_studio_alone(url: str) -> None:
    async def work() -> None:
        client = Client(url, "t2a_secret")
        for path in ("https://example.org/x", "//example.org/x", "/\\example.org", "x"):
            with pytest.raises(StudioError, match="elsewhere"):
                await client.fetch(path, Visit())
        await client.close()

    run(work())


def test_something_else_at_the_address_is_told() -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 302 if self.path.endswith("/styles") else 200
            self.send_response(status)
            self.send_header("Location", "https://elsewhere.example/")
            self.end_headers()
            self.wfile.write(b'{"fields": [{"name": "prompts"}]}' if self.gives_json() else b"Hi")

        def gives_json(self) -> bool:
            return type(self).json

        def log_message(self, *args: Any) -> None:
            pass

        json = False

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            there = f"http://127.0.0.1:{server.server_port}"
            with pytest.raises(StudioError, match="no text2art studio"):
                read_catalog(there)
            Other.json = True
            with pytest.raises(StudioError, match=r"leads on to 'https://elsewhere\.example/'"):
                read_catalog(there)
        finally:
            server.shutdown()
            thread.join()


def test_an_older_or_newer_studio_is_read_as_far_as_it_goes() -> None:
    said = {"fields": [{"name": "prompts"}, {"name": "glow", "default": 1, "new": 5}, {}]}
    catalog = Catalog.of(said, {}, None, {"version": "9"})
    assert list(catalog.fields) == ["prompts", "glow"]
    assert Form(prompts="x", drawer="pixel").body(catalog) == {"prompts": "x", "drawer": "pixel"}
    job = Job.of({"id": "x", "state": "dreaming", "eta_seconds": "soon", "result": {"files": 3}})
    assert (job.state, job.eta_seconds, job.files, job.ended) == ("dreaming", None, {}, False)
    with pytest.raises(StudioError, match="no job"):
        Job.of({"state": "done"})


# ---- forms and words ----------------------------------------------------------------------------


def test_a_form_sends_what_differs_and_reads_it_back(catalog: Catalog) -> None:
    form = Form(
        prompts="a cat | fog:0.5",
        drawer="pixel",
        quality=str(catalog.fields["quality"].default),
        aspect="widescreen",
        styles=("neon",),
        palette="pico-8",
        seed="12",
        iterations="50",
        make_video=True,
        more="pixel.cells: 36x36\npixel.cell = hex\nlosses: symmetry:1\n\n# not this\n",
    )
    body = form.body(catalog)
    assert body == {
        "prompts": "a cat | fog:0.5",
        "drawer": "pixel",
        "aspect": "widescreen",
        "styles": ["neon"],
        "palette": "pico-8",
        "seed": "12",
        "iterations": 50,
        "make_video": True,
        "pixel": {"cells": "36x36", "cell": "hex"},
        "losses": "symmetry:1",
    }
    again = of_settings(body, catalog)
    assert replace(again, more="") == replace(form, more="")
    assert again.body(catalog) == body


@pytest.mark.parametrize("line", ["iterations", ": 3", "a b: 3", "pixel..cells: 3", "=", "../x: 1"])
def test_lines_that_are_no_settings_are_refused(line: str) -> None:
    with pytest.raises(SettingsError, match="no setting"):
        read_lines(line)


def test_words_of_people_are_never_markup() -> None:
    job = Job("x", "failed", error="<img src=x>", prompt="<script>")
    shown = words.finished(job) + words.notices(["<b>"]) + words.swatches(["#12345'", "red"])
    shown += words.problem(StudioError("<i>", "<u>", source="<s>", at=1))
    assert not any(tag in shown for tag in ("<img", "<script", "<b>", "<i>", "<u>", "<s>", "red"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, "a few seconds"), (42, "about 40 s"), (200, "about 3 min"), (9000, "2 h")],
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert said in words.about(seconds)


# ---- the page -----------------------------------------------------------------------------------


def test_a_page_needs_no_torch_and_no_settings_of_its_own() -> None:
    script = (
        "import sys, text2art.studio.gradio, text2art.cli.gradio\n"
        "bad = {'torch', 'numpy', 'text2art.settings', 'text2art.registry', 'sqlalchemy'}\n"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_gradio_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingExtra, match=r"text2art\[gradio\]"):
        gradio_page.page("http://127.0.0.1:1")


def test_a_command_without_a_studio_says_how_to_run_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "import_gradio", object)
    app = typer.Typer()
    app.command()(boundary(command))
    result = CliRunner().invoke(app, ["--studio", nobody()])
    assert result.exit_code == 1
    assert result.output.startswith("Error: the studio at http://127.0.0.1:")
    assert "'text2art studio'" in result.output
    assert len(result.output.splitlines()) == 1
    wrong = CliRunner().invoke(app, ["--studio", "studio"])
    assert "no address" in wrong.output


@pytest.fixture
def shown(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Show the page; return where."""
    loops: list[asyncio.AbstractEventLoop] = []

    def new_loop(real: Callable[[], Any] = asyncio.new_event_loop) -> asyncio.AbstractEventLoop:
        loops.append(real())
        return loops[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", new_loop)
    made = gradio_page.page(url)
    made.launch(prevent_thread_lock=True, quiet=True)
    yield made.local_url.rstrip("/")
    made.close(verbose=False)
    for loop in loops:  # Gradio makes some that it never runs nor closes
        if not loop.is_running():
            loop.close()
    asyncio.set_event_loop(None)


@needs_gradio
@needs_chromium
# Those of Gradio and its packages, in its server's thread; ours are errors in the tests above.
@pytest.mark.filterwarnings("ignore::Warning")
def test_the_page_in_a_browser(shown: str, puppet: Puppet) -> None:
    pytest.importorskip("playwright")
    with browser.chromium() as chrome:
        visitor = browser.Visitor(chrome, shown)
        visitor.context.set_default_timeout(SECONDS * 1000)
        page = visitor.open()
        page.fill("#prompt textarea", "a red ${1} <b>apple</b>")
        page.get_by_label("Show it in the gallery").check()
        page.click("#draw-button")
        page.wait_for_selector("#stop-button", state="visible")
        puppet.go(2)
        page.wait_for_selector("#picture img")
        page.wait_for_selector(".t2a-bar[aria-valuenow]")
        assert page.inner_text(".t2a-title") == "a red ${1} <b>apple</b>"
        page.click("#stop-button")
        page.wait_for_selector("#continue-button", state="visible")
        assert "Stopped" in page.inner_text("#status")
        page.click("#continue-button")
        puppet.go(STEPS)
        page.wait_for_selector("text=Done: ")
        page.wait_for_selector("#files a")
        page.fill("#prompt textarea", "a cat:{")
        page.click("#draw-button")
        page.wait_for_selector("#status [role=alert]")
        page.reload()
        page.wait_for_selector("#picture img")
        page.wait_for_selector("text=Done: ")
        page.get_by_role("tab", name="Gallery").click()
        page.click("#wall .thumbnail-item >> nth=0")
        page.click("text=Draw with these settings")
        page.wait_for_selector("#picture img")
        assert page.input_value("#prompt textarea") == "a red ${1} <b>apple</b>"
        page.set_viewport_size({"width": 375, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        visitor.close()
    assert visitor.errors == []
    assert visitor.foreign == []
