"""`text2art weights`: models by name: list, fetch, verify, add; and convert."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text2art.cli.boundary import FAILED, boundary, say
from text2art.errors import WeightsError
from text2art.weights import catalog

if TYPE_CHECKING:
    from torch import Tensor

app = typer.Typer(help="Model weights: list, fetch, verify, add, convert.", no_args_is_help=True)
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Weights by name.", show_default=False),
]


def list_(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False
) -> None:
    """List the weights known by name, and which are here."""
    entries = [
        {
            "name": entry.name,
            "here": catalog.is_here(entry),
            "ships": entry.ships,
            "bytes": entry.size,
            "sha256": _known(entry),
            "license": entry.license,
            "origin": entry.origin,
            "help": entry.summary,
        }
        for entry in map(catalog.pinned, catalog.entries())
    ]
    if as_json:
        print(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    width = max((len(str(entry["name"])) for entry in entries), default=0)
    for entry in entries:
        size = entry["bytes"]
        megabytes = f"{size / 1e6:6.0f} MB" if isinstance(size, int) else "        ?"
        here = "here" if entry["here"] else "-"
        print(f"{entry['name']:<{width}}  {here:<4}  {megabytes}  {entry['help']}")


def _known(entry: catalog.Entry) -> str:
    """Say whose checksums are known: "recorded", "pinned" by a first fetch, or "unknown"."""
    if not all(file.sha256 for file in entry.files):
        return "unknown"
    return "pinned" if any(file.pinned for file in entry.files) else "recorded"


def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Weights by name; see weights list.")
    ],
) -> None:
    """Fetch weights into the weights folder; what broke off is gone on with.

    They are checked while they come. Prints their paths. Where no checksum is published, that of
    the first fetch is kept, and all later ones must be the same.
    """
    from text2art.weights import fetch as fetching

    for wanted in map(catalog.pinned, [catalog.entry(name) for name in names]):
        size = f"{wanted.size / 1e6:.0f} MB, " if wanted.size else ""
        origin = wanted.origin or "unknown"
        say(f"{wanted.name}: {size}license: {wanted.license or 'unknown'}, from {origin}")
        for file in wanted.files:
            if not file.sha256:
                say(f"{file.path}: its sha256 is not known. This first fetch pins it.")
        with _progress() as progress:
            paths = fetching.fetch(wanted, progress)
        _say_pins(wanted)
        for path in paths:
            print(path, flush=True)


def _say_pins(before: catalog.Entry) -> None:
    """Tell what a first fetch fixed."""
    for old, new in zip(before.files, catalog.pinned(before).files, strict=True):
        if new.sha256 != old.sha256:
            say(f"{new.path}: pinned to sha256 {new.sha256}, {new.size} bytes")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show how much has come: a bar in a terminal, a line per tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _Tenths()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def tell(path: str, done: int, total: int | None) -> None:
            if path not in tasks:
                tasks[path] = bar.add_task(path)
            bar.update(tasks[path], completed=done, total=total)

        yield tell


class _Tenths:
    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def __call__(self, path: str, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else 0
        if tenth > self._said.get(path, 0):
            self._said[path] = tenth
            say(f"{path}: {10 * tenth} %")


_VERDICTS = {
    "recorded": "ok",
    "pinned": "ok (as first fetched)",
    "unknown": "here, but its sha256 is not known; fetch it by name to pin it",
}


def verify(names: Names = None) -> None:
    """Check weights against their checksums: those named, or all that are here."""
    wanted = [catalog.entry(name) for name in names or ()]
    wanted = wanted or [entry for entry in catalog.entries() if catalog.is_here(entry)]
    broken = 0
    for entry in wanted:
        try:
            catalog.verify(entry)
        except WeightsError as error:
            broken += 1
            say(f"Error: {error}")
        else:
            known = _known(catalog.pinned(entry))
            print(f"{entry.name}: {_VERDICTS[known]}")
    if broken:
        raise typer.Exit(FAILED)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE_OR_URL...", help="A checkpoint, and its configuration if it has one."
        ),
    ],
    *,
    license_: Annotated[str, typer.Option("--license", help="Under which terms it is.")] = "",
    origin: Annotated[str, typer.Option(help="Who published it, and where.")] = "",
    paper: Annotated[str, typer.Option(help="Where it is described.")] = "",
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name; may be given again.", show_default=False)
    ] = None,
    sha256: Annotated[str, typer.Option(help="The sha256 that the one file must have.")] = "",
) -> None:
    """Add own weights to the list of this machine, under a name of their own.

    Files from outside the weights folder are copied into it, addresses fetched. Prints the paths.
    """
    from text2art.weights import adding

    entry = catalog.Entry(
        name,
        "Added on this machine.",
        (),
        license=license_,
        origin=origin,
        paper=paper,
        aliases=tuple(alias or ()),
    )
    with _progress() as progress:
        made = adding.add(entry, sources, sha256.lower(), progress)
    for path in catalog.verify(made):
        print(path, flush=True)


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A weight file of any format.")],
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A VQGAN's configuration. Else: the one beside it, if any.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to. Else: beside it, ending in .safetensors.",
            show_default=False,
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="In half precision.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Convert a weight file to safetensors, which holds nothing but tensors and a few notes.

    No code of the file is run. Of a VQGAN the model alone is kept, and its configuration put in.
    Prints the path.
    """
    from text2art.weights import configs
    from text2art.weights import convert as converting

    given = configs.read_config(config) if config is not None else None
    path = converting.convert(file, out, config=given, check=_check_vqgan, half=half, force=force)
    if configs.embedded(path) is None:
        say(
            f"{file}: no VQGAN, or no configuration beside it; all its tensors are kept as they are"
        )
    print(path, flush=True)


def _check_vqgan(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Mapping[str, Any]:
    """Build the model once, and return its configuration as taming writes it."""
    from text2art.nets.vqgan import VqganConfig, vqgan_from

    read = VqganConfig.from_taming(config)
    vqgan_from(read, tensors)
    return {k: config[k] for k in ("name", "version") if k in config} | read.to_taming()


app.command("list")(boundary(list_))
app.command("fetch")(boundary(fetch))
app.command("verify")(boundary(verify))
app.command("add")(boundary(add))
app.command("convert")(boundary(convert))
