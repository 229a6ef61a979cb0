"""The page in a real browser, on the real API and queue; only the drawing is a play."""

from __future__ import annotations

import ast
import base64
import io
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.studio import browser
from tests.studio.puppet import STEPS, Puppet, final, picture_file, serving
from text2art.settings import Settings
from text2art.studio import api
from text2art.studio.config import StudioConfig

WEB = Path(api.__file__).resolve().parents[1] / "web"
SCRIPTS = sorted((WEB / "js").glob("*.js"))
needs_chromium = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"
)


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    """Return who plays the worker."""
    return Puppet()


@pytest.fixture(scope="module")
def address(puppet: Puppet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a studio."""
    config = StudioConfig(
        data=tmp_path_factory.mktemp("studio"),
        port=0,
        requests_per_minute=1000,
        reads_per_minute=100_000,
    )
    with serving(config, puppet) as url:
        yield url


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """Start the browser."""
    pytest.importorskip("playwright")
    with browser.chromium() as running:
        yield running


@pytest.fixture
def visitor(chrome: Any, address: str, puppet: Puppet) -> Iterator[browser.Visitor]:
    """Return somebody with a browser; in the end, nothing may have gone wrong in it."""
    puppet.hold()
    visitor = browser.Visitor(chrome, address)
    yield visitor
    puppet.free = True
    headers = {"X-Text2Art": "1"}
    visitor.context.request.post(address + "/api/v1/admin/resume", headers=headers)
    wait_until_idle(visitor)
    visitor.close()
    assert visitor.errors == []
    assert visitor.foreign == []


def wait_until_idle(visitor: browser.Visitor) -> None:
    page = visitor.context.new_page()
    page.goto(visitor.address + "/robots.txt")
    page.evaluate(  # a promise is true to `wait_for_function`, whatever comes of it
        """async () => {
          for (;;) {
            const { queue } = await (await fetch("/health")).json();
            if (!queue.queued && !queue.running) return;
            await new Promise((soon) => setTimeout(soon, 30));
          }
        }"""
    )
    page.close()


def draw(page: Any, words: str) -> None:
    page.fill("#prompt", words)
    page.click("button.draw")
    page.wait_for_function(
        "words => document.querySelector('.stage-prompt')?.textContent === words", arg=words
    )


def drawn(page: Any, puppet: Puppet, words: str) -> None:
    draw(page, words)
    puppet.go(STEPS)
    page.wait_for_selector(".stage-actions .like")


def wait_for_frames(page: Any, number: int) -> None:
    """Wait until the scrubber holds some pictures."""
    page.wait_for_function(
        "n => document.querySelector('.stage .scrubber input').max === String(n - 1)", arg=number
    )


def wait_for_picture(page: Any, part: str) -> None:
    """Wait until the stage shows a picture whose address has a part."""
    page.wait_for_function(
        """(part) => {
          const image = document.querySelector(".stage .picture img:last-child");
          return image?.naturalWidth > 0 && image.src.includes(part);
        }""",
        arg=part,
    )


def listen(page: Any) -> None:
    """Note in `window.heard` all that a screen reader would say from now on."""
    page.evaluate(
        """() => {
          const live = document.querySelector("#live");
          window.heard = [];
          new MutationObserver(() => window.heard.push(live.textContent)).observe(
            live, { childList: true, characterData: true, subtree: true });
        }"""
    )


def drop(page: Any, name: str, kind: str, data: bytes) -> None:
    """Drop a file onto the page."""
    page.evaluate(
        """([name, kind, text]) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], name, { type: kind }));
          const options = { dataTransfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("dragenter", options));
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [name, kind, base64.b64encode(data).decode()],
    )


# ---- drawing ------------------------------------------------------------------------------------


@needs_chromium
def test_no_picture_of_the_making_is_lost_over_a_reload_and_a_closed_tab(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    page = visitor.open()
    assert page.is_visible("text=Say it, and watch it form.")
    draw(page, "a red apple")
    puppet.go(2)
    wait_for_frames(page, 2)
    wait_for_picture(page, "/frames/1?")

    page.reload()
    page.wait_for_selector("#prompt")
    assert page.input_value("#prompt") == "a red apple"
    wait_for_frames(page, 2)
    puppet.go(1)
    wait_for_frames(page, 3)
    path = page.evaluate("location.pathname + location.search")
    assert path.startswith("/?job=")

    page.close()
    puppet.go(3)
    page = visitor.open(path)
    wait_for_frames(page, 6)
    assert page.is_visible(".curve svg")
    puppet.go(STEPS)
    page.wait_for_selector(".stage-actions .like")
    wait_for_frames(page, STEPS + 1)
    wait_for_picture(page, "/result.png")
    assert "seed" in page.inner_text(".stage-status")
    assert page.inner_text("#live") == "The picture is done."

    # Pulling back shows what was seen then.
    page.focus(".stage .scrubber input")
    page.keyboard.press("Home")
    wait_for_picture(page, "/frames/0?")
    assert page.inner_text(".scrub-step") == "step 0"


@needs_chromium
def test_no_picture_of_another_job_comes_late(visitor: browser.Visitor, puppet: Puppet) -> None:
    """A picture that is still on its way when something else is asked for is not shown."""
    page = visitor.open()
    held: list[Any] = []
    page.route("**/frames/0?*", lambda route: held.append(route))
    draw(page, "a yellow bus")
    first = page.evaluate("new URLSearchParams(location.search).get('job')")
    with page.expect_request("**/frames/0?*"):
        puppet.go(1)
    draw(page, "a green bus")
    page.wait_for_selector(".stage .no-picture")
    with page.expect_response("**/frames/0?*"):
        held[0].continue_()
    page.unroute("**/frames/0?*")
    page.evaluate("new Promise((seen) => requestAnimationFrame(() => setTimeout(seen, 50)))")
    assert page.locator(f".stage .picture img[src*='{first}']").count() == 0
    assert page.is_visible(".stage .no-picture")


@needs_chromium
def test_late_answers_change_nothing_that_is_newer(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    page = visitor.open()
    held: list[Any] = []
    page.route("**/events?after=0", lambda route: held.append(route))
    with page.expect_request("**/events?after=0"):  # for the curve, of a job that is drawn
        draw(page, "a white bus")
    puppet.go(STEPS)
    page.wait_for_selector(".stage-actions .like")
    with page.expect_response("**/events?after=0"):
        held[0].continue_()
    page.unroute("**/events?after=0")
    page.evaluate("new Promise((seen) => requestAnimationFrame(() => setTimeout(seen, 50)))")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")  # would ask whether to stop, if it were still drawn
    page.evaluate("new Promise((seen) => setTimeout(seen, 50))")
    assert page.locator("dialog.sheet").count() == 0
    assert "seed" in page.inner_text(".stage-status")


@needs_chromium
def test_the_administrator_sends_again_what_was_not_delivered(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    letter: dict[str, Any] = {"id": "0" * 26, "kind": "webhook", "place": "hooks.example"}
    letter |= {
        "job_id": None,
        "attempts": 10,
        "reason": "<b>the server says 500</b>",
        "created": 1e9,
    }
    left = [letter]
    sent: list[str] = []

    def answer(route: Any) -> None:
        if route.request.method == "POST":
            sent.append(route.request.url.rpartition("/admin")[2])
            left.clear()
            route.fulfill(status=202, json={"id": letter["id"]})
        else:
            route.fulfill(json={"letters": left, "counts": {}})

    page = visitor.open()
    page.route("**/api/v1/admin/mail**", answer)
    page.click("#queue-button")
    page.click(".queue >> text=1 message not delivered")
    page.wait_for_selector("dialog >> text=Webhook to hooks.example")
    assert page.inner_text(".letter-reason") == letter["reason"]
    page.click("dialog >> text=Send again")
    page.wait_for_selector("dialog >> text=Everything has been sent")
    assert sent == [f"/mail/{letter['id']}/send"]
    assert page.locator(".queue-foot button:visible").count() == 1  # pausing


@needs_chromium
def test_a_job_stopped_before_its_first_picture_asks_for_none(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    page = visitor.open()
    draw(page, "a blue bus")  # it holds the only worker
    page.wait_for_selector(".stage-status:has-text('Warming up')")
    draw(page, "a red bus")
    page.wait_for_selector(".stage-status:has-text('in line')")
    page.click(".stage-actions >> text=Stop")
    page.click("dialog >> text=Stop it")
    page.wait_for_selector("text=Stopped, before there was a picture")
    page.click("#queue-button")
    page.wait_for_selector(".queue >> text=canceled")
    puppet.go(STEPS)  # in the end no request may have failed


@needs_chromium
def test_what_is_wrong_is_said_where_it_is(visitor: browser.Visitor) -> None:
    page = visitor.open()
    page.fill("#prompt", "a cat")
    page.fill("#seed", "-5")
    page.click("button.draw")
    page.wait_for_selector("[data-part=seed] .field-error:has-text('out of range')")
    assert page.evaluate("document.activeElement.id") == "seed"
    page.fill("#seed", "5")
    assert page.locator("[data-part=seed] .field-error").is_hidden()
    page.fill("[aria-label^='Palette in words']", "red, blu")
    page.wait_for_selector("[data-part=palette] .problem:has-text('blu')")
    with page.expect_console_message(lambda message: "422" in message.text):
        page.click("button.draw")
    page.wait_for_selector("[data-part=palette] .problem")
    assert page.locator("[data-part=palette] .field-error").is_hidden()  # said once is enough
    assert page.locator(".toast").count() == 0
    visitor.errors.clear()  # the browser notes the refusals


@needs_chromium
def test_stopping_asks_first_and_keeps_the_picture_which_can_go_on(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    page = visitor.open()
    draw(page, "a green cactus")
    puppet.go(3)
    wait_for_frames(page, 3)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    page.click("dialog >> text=Go on")
    assert "Stop" in page.inner_text(".stage-actions")
    page.click(".stage-actions >> text=Stop")
    page.click("dialog >> text=Stop it")
    page.wait_for_selector(".stage-status:has-text('Stopped')")
    wait_for_picture(page, "/result.png")

    page.click(".stage-actions >> text=Continue")
    page.click("[role=menuitem]:has-text('50 more steps')")
    page.wait_for_selector(".stage-actions >> text=Stop")
    puppet.go(STEPS)
    page.wait_for_selector(".stage-actions .like")


@needs_chromium
def test_a_failure_says_why_and_can_be_tried_again(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    page = visitor.open()
    draw(page, "a pink heart")
    puppet.fail = "The machine ran out of paint."
    page.wait_for_selector("text=The machine ran out of paint.")
    page.click(".stage-actions >> text=Try again")
    puppet.go(STEPS)
    page.wait_for_selector(".stage-actions .like")


@needs_chromium
def test_a_batch_waits_in_the_queue_with_places(visitor: browser.Visitor, puppet: Puppet) -> None:
    page = visitor.open()
    page.click("[aria-label='One picture more']")
    page.click("[aria-label='One picture more']")
    draw(page, "a sunflower")
    page.wait_for_function("() => document.querySelectorAll('.stage .strip .thumb').length === 3")
    page.click("#queue-button")
    page.wait_for_selector(".queue >> text=1st in line")
    page.wait_for_selector(".queue >> text=2nd in line")
    assert page.inner_text("#queue-count") == "3"
    page.click(".queue [aria-label^='Take it out'] >> nth=1")
    page.click("dialog >> text=Stop it")
    page.wait_for_function("() => document.querySelector('#queue-count').textContent === '2'")
    page.click("text=Pause the queue")
    page.wait_for_selector("#banner >> text=paused")
    page.click("text=Go on with the queue")
    puppet.go(2 * STEPS)
    page.wait_for_function("() => document.querySelector('#queue-count').textContent === ''")


# ---- the form -----------------------------------------------------------------------------------


@needs_chromium
def test_the_form_is_made_from_the_settings_and_says_what_is_wrong(
    visitor: browser.Visitor,
) -> None:
    page = visitor.open()
    page.click("text=All settings")
    assert page.locator("[data-group=pyramid]").is_visible()
    assert page.locator("[data-group=pixel]").is_hidden()
    page.click("label.tile:has-text('Pixel art')")
    assert page.locator("[data-group=pyramid]").is_hidden()
    assert page.locator("[data-group=pixel]").is_visible()
    page.fill("[aria-label='Search settings']", "optimizer steps")
    field = page.locator("[data-field=iterations]")
    assert "1 to 10000" in field.inner_text()
    field.locator("input.number").fill("99999")
    page.fill("#prompt", "a cat")
    page.click("button.draw")
    page.wait_for_selector("[data-field=iterations] .field-error:has-text('10000')")
    assert (
        page.evaluate("document.activeElement.closest('[data-field]').dataset.field")
        == "iterations"
    )
    visitor.errors.clear()  # the browser notes the refusal
    field.locator("[aria-label='Iterations: back to the default']").click()
    assert field.locator(".field-error").is_hidden()


@needs_chromium
def test_prompts_are_read_while_they_are_written(visitor: browser.Visitor) -> None:
    page = visitor.open()
    page.fill("#prompt", "a zorbl {cat|dog} | sun:0.5")
    page.wait_for_selector(".note:has-text('zorbl')")
    page.wait_for_selector(".note:has-text('2 combinations')")
    page.wait_for_selector(".note:has-text('sun \u00d7 0.5')")
    page.fill("#prompt", "")
    page.click("button.draw")
    page.wait_for_selector("#prompt-notes >> text=Say what to draw")


@needs_chromium
def test_styles_and_palettes(visitor: browser.Visitor) -> None:
    page = visitor.open()
    page.click("text=/All .* styles/")
    page.fill("[aria-label='Search styles']", "stained")
    page.click(".all-styles .chip:has-text('stained glass')")
    page.click("text=Use it")  # it goes well with a drawer
    assert page.is_checked("input[name=drawer][value=shapes]")
    page.click("[data-palette='PICO-8']")
    page.wait_for_function("() => document.querySelectorAll('.swatch').length === 16")
    page.click(".swatch >> nth=0")
    page.click("[aria-label='Take it away']")
    page.wait_for_function("() => document.querySelectorAll('.swatch').length === 15")
    page.fill("[aria-label^='Palette in words']", "black->gold\\8")
    page.wait_for_function("() => document.querySelectorAll('.swatch').length === 8")
    page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", "1a1c2c\\n5d275d\\nb13e53");
          document.querySelector("[aria-label^='Palette in words']").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }"""
    )
    page.wait_for_function("() => document.querySelectorAll('.swatch').length === 3")
    settings = page.evaluate("import('/static/js/draft.js').then((m) => m.draft.settings())")
    assert settings["palette"] == "#1a1c2c,#5d275d,#b13e53"
    assert settings["styles"] == ["stained-glass"]
    assert settings["drawer"] == "shapes"


@needs_chromium
def test_a_dropped_picture_brings_back_its_settings(visitor: browser.Visitor) -> None:
    given = {
        "prompts": "a castle at night",
        "drawer": "pixel",
        "seed": 7,
        "pixel": {"cells": "24x24"},
    }
    page = visitor.open()
    drop(page, "castle.png", "image/png", picture_file(final("castle"), Settings.of(**given)))
    page.click("dialog >> text=Restore all settings")
    assert page.input_value("#prompt") == "a castle at night"
    assert page.is_checked("input[name=drawer][value=pixel]")
    assert page.input_value("#seed") == "7"
    settings = page.evaluate("import('/static/js/draft.js').then((m) => m.draft.settings())")
    assert Settings.of(**settings) == Settings.of(**given)


@needs_chromium
def test_a_picture_from_elsewhere_is_what_the_next_one_starts_from(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    file = io.BytesIO()
    final("elsewhere").save(file, "PNG")
    page = visitor.open()
    drop(page, "photo.png", "image/png", file.getvalue())
    page.wait_for_function("() => document.querySelector('.init img')?.naturalWidth > 0")
    visitor.errors.clear()  # the browser notes that it holds no settings
    drawn(page, puppet, "a snowman")
    job = page.evaluate("fetch('/api/v1/jobs').then((r) => r.json()).then((list) => list.jobs[0])")
    assert re.fullmatch(r"uploads/[0-9a-f]{64}\.png", job["settings"]["init_image"])


@needs_chromium
def test_what_is_copied_is_read_back_as_it_was(visitor: browser.Visitor) -> None:
    words = """it's a "cat" $HOME `ls` \\ {a|b} -x"""
    given = {"prompts": words, "drawer": "pixel", "pixel": {"cells": "24x24"}, "transparent": True}
    page = visitor.open()
    command, program, curl = page.evaluate(
        """(given) => import("/static/js/snippets.js").then((m) => [
          m.command(given, new Map([["transparent", "switch"]])),
          m.program(given), m.curl(given, "http://studio", true)])""",
        given,
    )
    arguments = shlex.split(command.replace("\\\n", ""))
    assert arguments[:3] == ["text2art", "draw", words]
    assert arguments[3:] == ["--drawer", "pixel", "--pixel.cells", "24x24", "--transparent"]
    call = next(n for n in ast.walk(ast.parse(program)) if isinstance(n, ast.Call))
    assert ast.literal_eval(call.args[0]) == words
    assert {k.arg: ast.literal_eval(k.value) for k in call.keywords} == {
        name: value for name, value in given.items() if name != "prompts"
    }
    asked = shlex.split(curl.replace("\\\n", ""))
    assert ast.literal_eval(asked[-1].replace("true", "True")) == given


# ---- the gallery --------------------------------------------------------------------------------


@needs_chromium
def test_gallery_like_publish_arrows_compare(visitor: browser.Visitor, puppet: Puppet) -> None:
    page = visitor.open()
    for words in ("a lemon", "a melon"):
        drawn(page, puppet, words)
    listen(page)
    page.click(".stage-actions label.public")
    page.wait_for_function("() => window.heard.some((words) => words.includes('in the gallery'))")
    page.click("nav >> text=Gallery")
    page.click("label:has-text('Published')")
    page.wait_for_selector(".card >> text=a melon", state="attached")
    assert page.locator(".card:has-text('a lemon')").count() == 0
    page.hover(".card")
    page.click(".card .like")
    page.wait_for_selector(".card .like[aria-pressed=true]")
    page.click("label:has-text('Liked')")
    page.wait_for_selector(".card >> text=a melon", state="attached")
    page.click("label:has-text('Mine')")
    page.fill("[aria-label='Search prompts']", "no such words")
    page.wait_for_selector("text=No picture fits.")
    page.fill("[aria-label='Search prompts']", "")
    page.wait_for_selector(".card >> text=a lemon", state="attached")

    page.click(".card-open >> nth=0")
    page.wait_for_selector(".lightbox h2:has-text('a melon')")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".lightbox h2:has-text('a lemon')")
    page.click(".lightbox [aria-label=More]")
    page.click("[role=menuitem]:has-text('Compare')")
    before = page.evaluate("getComputedStyle(document.querySelector('.compare-over')).clipPath")
    page.keyboard.press("Home")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.compare-over')).clipPath")
        != before
    )
    page.keyboard.press("Escape")
    page.wait_for_selector(".lightbox", state="hidden")
    assert page.evaluate("document.activeElement.matches('.card-open')")

    page.keyboard.press("Enter")
    page.click(".lightbox >> text=Vary")
    page.click("[role=menuitem]:has-text('Same seed as pixel art')")
    page.wait_for_selector(".stage-actions >> text=Stop")
    puppet.go(STEPS)
    page.wait_for_selector(".stage-status:has-text('pixel')")
    wait_for_picture(page, "/result.png")
    rendering = "getComputedStyle(document.querySelector('.stage .picture img')).imageRendering"
    assert page.evaluate(rendering) == "pixelated"


@needs_chromium
def test_deleting_can_be_taken_back(visitor: browser.Visitor, puppet: Puppet) -> None:
    page = visitor.open()
    drawn(page, puppet, "a plum")
    page.click(".stage [aria-label=More]")
    page.click("[role=menuitem]:has-text('Delete')")
    page.wait_for_selector("text=Say it, and watch it form.")
    page.click("text=Undo")
    page.click("nav >> text=Gallery")
    page.wait_for_selector(".card >> text=a plum", state="attached")


@needs_chromium
def test_prompts_are_words_and_never_markup(visitor: browser.Visitor, puppet: Puppet) -> None:
    words = "<img src=x onerror='window.hurt=1'><script>window.hurt=1</script>"
    page = visitor.open()
    drawn(page, puppet, words)
    page.click("#queue-button")
    page.keyboard.press("Escape")
    page.click("nav >> text=Gallery")
    page.click(".card-open >> nth=0")
    assert page.inner_text(".lightbox h2") == words
    assert page.evaluate("window.hurt") is None


# ---- all kinds of people ------------------------------------------------------------------------


@needs_chromium
def test_by_keyboard_alone(visitor: browser.Visitor, puppet: Puppet) -> None:
    page = visitor.open()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("/")
    page.keyboard.type("a rocket in space / ?")  # keys that do something elsewhere are words here
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".stage-prompt:has-text('a rocket in space / ?')")
    puppet.go(1)
    wait_for_frames(page, 1)
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.sheet")
    page.keyboard.press("Enter")
    page.wait_for_selector(".stage-status:has-text('Stopped')")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.wait_for_selector(".card")
    page.focus(".card-open")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lightbox[open]")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('.card-open')")
    page.keyboard.press("?")
    page.wait_for_selector("dialog:has-text('Keys')")
    page.keyboard.press("Escape")
    page.keyboard.press("q")
    page.wait_for_selector(".queue:visible")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "queue-button"


@needs_chromium
def test_on_a_phone_nothing_sticks_out(chrome: Any, address: str, puppet: Puppet) -> None:
    puppet.hold()
    options: dict[str, Any] = {"viewport": {"width": 375, "height": 700}, "has_touch": True}
    visitor = browser.Visitor(chrome, address, reduced_motion="reduce", **options)
    page = visitor.open()
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == 375
    drawn(page, puppet, "a very long prompt of unbreakablewordsthatgoonandonandonandonandonandon")
    assert page.evaluate(width) == 375
    assert page.evaluate("document.querySelector('.stage').getBoundingClientRect().top") < 100
    button = page.evaluate("document.querySelector('.draw').getBoundingClientRect().bottom")
    assert button <= 700
    page.tap("nav >> text=Gallery")
    page.wait_for_selector(".card")
    assert page.evaluate(width) == 375
    page.tap(".card-open >> nth=0")
    page.wait_for_selector(".lightbox[open]")
    assert page.evaluate("document.querySelector('.lightbox').scrollWidth") == 375
    visitor.close()
    assert visitor.errors == []


@needs_chromium
def test_axe_finds_nothing_serious(chrome: Any, address: str, puppet: Puppet) -> None:
    """In what is light, and of what is dark the colors, all else being the same."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    puppet.hold()
    visitor = browser.Visitor(chrome, address, color_scheme="light", reduced_motion="reduce")
    page = visitor.open()
    paper = "getComputedStyle(document.body).backgroundColor"

    def check(where: str) -> None:
        options: dict[str, Any] = {"resultTypes": ["violations"]}  # what passes is not written out
        require_nothing_serious(options, f"{where}, light")
        light = page.evaluate(paper)
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert page.evaluate(paper) != light
        require_nothing_serious({**options, "runOnly": ["color-contrast"]}, f"{where}, dark")
        page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def require_nothing_serious(options: dict[str, Any], where: str) -> None:
        found = axe.run(page, options=options).response["violations"]
        serious = [
            (one["id"], [node["html"][:160] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], where

    page.fill("#prompt", "a zorbl cat | sun:0.5")
    page.wait_for_selector(".note")
    page.click("text=/All .* styles/")
    page.click("[data-palette='PICO-8']")
    page.click("text=All settings")
    page.evaluate("document.querySelectorAll('.group').forEach((group) => (group.open = true))")
    check("the form")
    page.click("text=Fewer styles")
    page.click("text=All settings")
    draw(page, "a teapot")
    puppet.go(3)
    wait_for_frames(page, 3)
    page.click("#queue-button")
    check("drawing, with the queue")
    page.keyboard.press("Escape")
    puppet.go(STEPS)
    page.wait_for_selector(".stage-actions .like")
    page.click("nav >> text=Gallery")
    page.wait_for_selector(".card")
    page.focus(".card-open")
    check("the gallery")
    page.click(".card-open >> nth=0")
    page.wait_for_selector(".lightbox .like")
    page.click(".lightbox >> text=Vary")
    check("the large view, with a menu")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector(".lightbox", state="hidden")
    page.keyboard.press("?")
    page.wait_for_selector("dialog.sheet")
    check("the keys")
    visitor.close()


# ---- when something is wrong --------------------------------------------------------------------


@needs_chromium
def test_without_a_connection_nothing_is_lost_or_drawn_twice(
    visitor: browser.Visitor, puppet: Puppet
) -> None:
    page = visitor.open()
    answered: list[str] = []

    def lose_the_answer(route: Any) -> None:
        if route.request.method == "POST" and not answered:
            answered.append(route.fetch().json()["id"])  # it arrives, and its answer does not
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/jobs", lose_the_answer)
    page.fill("#prompt", "a lighthouse")
    page.click("button.draw")
    page.wait_for_selector(".toast:has-text('cannot be reached')")
    page.click("button.draw")
    page.wait_for_selector(".stage-prompt:has-text('a lighthouse')")
    assert page.evaluate("new URLSearchParams(location.search).get('job')") == answered[0]
    page.unroute("**/api/v1/jobs")

    visitor.context.set_offline(True)
    page.wait_for_selector("#banner:has-text('cannot be reached')")
    puppet.go(STEPS)  # the studio goes on
    visitor.context.set_offline(False)
    page.wait_for_selector("#banner", state="hidden")
    page.wait_for_selector(".stage-actions .like")
    wait_for_frames(page, STEPS + 1)
    visitor.errors.clear()  # the browser notes what it could not reach


@needs_chromium
def test_a_studio_that_does_not_answer_can_be_tried_again(chrome: Any, address: str) -> None:
    visitor = browser.Visitor(chrome, address)
    page = visitor.context.new_page()
    page.route("**/api/v1/settings", lambda route: route.abort())
    page.goto(address)
    page.wait_for_selector("text=The studio cannot be reached.")
    page.unroute("**/api/v1/settings")
    page.click("button:has-text('Try again')")
    page.wait_for_selector("#prompt")
    visitor.close()


# ---- the files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_modules_of_one_idea(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert text.startswith("/**")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in text
    node = shutil.which("node")
    if node is not None and script.name != "theme.js":
        command = [node, "--check", "--input-type=module"]
        subprocess.run(command, input=text.encode(), check=True)


def test_the_page_asks_nobody_else_and_needs_nothing_inline() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)|\son\w+=", page)
    for file in WEB.rglob("*"):
        if file.suffix in (".js", ".css", ".html", ".webmanifest"):
            text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://|@import|url\(['\"]?//", text), file.name


def test_every_file_that_is_named_is_there() -> None:
    for file in [WEB / "index.html", *WEB.rglob("*.css"), WEB / "manifest.webmanifest"]:
        for name in re.findall(r"/static/([\w./-]+)", file.read_text(encoding="utf-8")):
            assert (WEB / name).is_file(), name
    for script in SCRIPTS:
        for name in re.findall(r'from "\./([\w.]+)"', script.read_text(encoding="utf-8")):
            assert (WEB / "js" / name).is_file(), name


def test_sample_pictures_are_small() -> None:
    samples = sorted((WEB / "samples").glob("*.webp"))
    assert sum(sample.stat().st_size for sample in samples) <= 150_000
    for sample in samples:
        with Image.open(sample) as picture:
            assert picture.width == picture.height >= 96
