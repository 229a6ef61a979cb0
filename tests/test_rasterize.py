"""SVGs are drawn by a process of their own: what takes too much ends it, and nothing else does."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli_tools import Cli, draw, left
from text2art.errors import InputFileError
from text2art.media import rasterize
from text2art.media.load import decode_picture, load_picture

pytest.importorskip("resvg_py")


def svg(inner: str) -> bytes:
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 500">{inner}</svg>'
    return text.encode()


TEAL = svg('<rect width="500" height="500" fill="teal"/>')
ENDLESS = {
    "dashes": svg('<path d="M0 0L1000 1000" stroke="red" stroke-dasharray="0.001"/>' * 1000),
    "opacities": svg(
        '<g opacity="0.5">' * 90
        + '<g opacity="0.5"><rect width="1000" height="500"/></g>' * 20_000
        + "</g>" * 90
    ),
    "selectors": svg(
        "<style>"
        + "".join(f".a{i} .b{i} .c{i} {{fill: red}}" for i in range(20_000))
        + "</style>"
        + '<g class="a1 b2"/>' * 40_000
    ),
}
TOO_MUCH = "takes too much time or memory to draw: save it as PNG"


@pytest.mark.parametrize("data", ENDLESS.values(), ids=ENDLESS)
def test_what_computes_too_long_is_ended(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resource")
    monkeypatch.setattr(rasterize, "_SECONDS", 3600)  # it is not the clock that ends it
    with pytest.raises(InputFileError) as caught:
        decode_picture(data, "bad.svg", svg_seconds=1)
    assert str(caught.value) == f"picture 'bad.svg' {TOO_MUCH}"


@pytest.mark.parametrize("side", ["15000", "1e6"])
def test_what_takes_too_much_memory_is_ended(side: str) -> None:
    """Each pattern takes a picture of its own, 0.9 GB the smaller: resvg aborts the process."""
    pytest.importorskip("resource")
    box = f'width="{side}" height="{side}"'
    patterns = "".join(
        f'<pattern id="p{n}" {box} patternUnits="userSpaceOnUse">'
        f'<rect {box} fill="url(#p{n - 1})"/></pattern>'
        for n in range(1, 4)
    )
    with pytest.raises(InputFileError, match=TOO_MUCH):
        decode_picture(svg(f'{patterns}<rect {box} fill="url(#p3)"/>'), "bad.svg")


def test_without_bounds_on_computing_the_clock_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterize, "_SECONDS", 0.5)
    with pytest.raises(InputFileError, match=TOO_MUCH):
        decode_picture(ENDLESS["dashes"], "bad.svg", svg_seconds=60)


def test_the_command_line_says_it_in_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resource")
    monkeypatch.setattr(rasterize, "CPU_SECONDS", 1)
    Path("bad.svg").write_bytes(ENDLESS["dashes"])
    for name in ("init-image", "image-prompts", "overlay-image"):
        answer = draw(cli, f"--{name}=bad.svg")
        assert answer.code == 1
        assert answer.err.splitlines()[-1] == f"Error: picture 'bad.svg' {TOO_MUCH}"
    assert left() == ["bad.svg"]


def test_nothing_is_drawn_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterize, "_drawn", None)
    image = decode_picture(TEAL, "a.svg")
    assert image.size == (1024, 512)
    assert image.getpixel((100, 100)) == (0, 128, 128, 255)
    assert image.getpixel((900, 100)) == (0, 0, 0, 0)


def test_bounds_of_pixels_are_kept() -> None:
    with pytest.raises(InputFileError, match="1024x512 pixels, at most 1000 are"):
        decode_picture(TEAL, "a.svg", max_pixels=1000)


def test_code_in_the_working_folder_is_not_run(here: Path) -> None:
    """The folder may be as much a stranger's as the picture."""
    package = here / "text2art" / "media"
    package.mkdir(parents=True)
    for path in ("text2art/__init__.py", "resvg_py.py", "typing.py"):
        (here / path).write_text("raise SystemExit('this is a stranger')")
    (here / "a.svg").write_bytes(TEAL)
    assert load_picture("a.svg").size == (1024, 512)


def test_the_process_finds_what_this_one_finds(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where modules lie in folders that are named relative to the working folder."""
    (here / "modules").mkdir()
    fake = "def svg_to_bytes(**_): raise ValueError('the one\\nof the test')"
    (here / "modules" / "resvg_py.py").write_text(fake)
    monkeypatch.setattr(sys, "path", ["modules", *sys.path])
    with pytest.raises(InputFileError, match=r"a\.svg' cannot be drawn: the one of the test$"):
        decode_picture(TEAL, "a.svg")


@pytest.mark.parametrize("frozen", [False, True])
def test_without_an_interpreter_it_is_drawn_here(
    monkeypatch: pytest.MonkeyPatch, frozen: bool
) -> None:
    expected = decode_picture(TEAL, "a.svg")
    monkeypatch.setattr(rasterize, "_drawn_apart", None)
    if frozen:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    else:
        monkeypatch.setattr(sys, "executable", "")
    assert decode_picture(TEAL, "a.svg") == expected
    with pytest.raises(InputFileError, match=r"^picture 'a\.svg' holds scripts: they are not read"):
        decode_picture(svg("<script/>"), "a.svg")


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import sys; sys.path.clear(); import text2art", "cannot be drawn: ModuleNotFoundError: "),
        ("import sys; sys.exit(1)", "cannot be drawn: no reason given"),
        ("import os; os.abort()", TOO_MUCH),
    ],
)
def test_a_process_that_fails_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, program: str, says: str
) -> None:
    monkeypatch.setattr(rasterize, "_PROGRAM", program)
    with pytest.raises(InputFileError, match=says) as caught:
        decode_picture(TEAL, "a.svg")
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(InputFileError, match=r"no process starts: .*/no/such/python"):
        decode_picture(TEAL, "a.svg")


def test_a_panic_of_the_rasterizer_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Rust panics with is no Exception."""

    class Panic(BaseException):
        pass

    class Panics:
        @staticmethod
        def svg_to_bytes(**_: object) -> bytes:
            raise Panic("called `unwrap()`")

    monkeypatch.setitem(sys.modules, "resvg_py", Panics)
    with pytest.raises(InputFileError, match="cannot be drawn: called `unwrap"):
        rasterize._drawn(TEAL)


def test_bounds_are_set_and_those_that_are_there_are_not_widened() -> None:
    resource = pytest.importorskip("resource")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (2, 3)); "
        "from text2art.media import rasterize; rasterize._bound(8); "
        "kinds = resource.RLIMIT_CPU, resource.RLIMIT_CORE, resource.RLIMIT_AS; "
        "print(*(bound for kind in kinds for bound in resource.getrlimit(kind)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bounds = [int(bound) for bound in ran.stdout.split()]
    assert bounds[:4] == [3, 3, 0, 0]
    if sys.platform == "linux":
        assert 0 < bounds[4] == bounds[5] <= 1_500_000_000
    assert resource.getrlimit(resource.RLIMIT_CPU)[1] != 3  # this process's are as they were


def test_the_process_imports_little() -> None:
    """So that it has begun soon: a palette of many pictures, an animation of a thousand files."""
    code = "import sys; from text2art.media import rasterize; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "numpy", "PIL", "pydantic", "subprocess", "http.client", "logging"}
    assert not heavy & set(ran.stdout.split())


def test_what_it_writes_is_a_picture_and_nothing_else() -> None:
    png = rasterize.rasterized(TEAL, "picture 'a.svg'")
    image = Image.open(io.BytesIO(png), formats=("PNG",))
    assert (image.size, image.mode) == ((1024, 512), "RGBA")
