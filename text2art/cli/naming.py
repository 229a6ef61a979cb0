"""Where the files of a run go: templates filled in with what is known of the run."""

from __future__ import annotations

import datetime
from pathlib import Path

from text2art.errors import OutputError
from text2art.media.files import free_path
from text2art.media.load import load_picture
from text2art.media.names import facts_of, parse_template
from text2art.settings import Settings

FOLDER = Path("outputs")
STEM = "{slug}-{seed}"


def picture_path(out: Path | None, folder: Path | None, settings: Settings) -> Path:
    """Return where the picture goes.

    Args:
        out: its name, maybe with fields; None = `STEM`. A name with fields never meets an older
            file; one without is taken as it is.
        folder: for it, maybe with fields, or None for what `out` says, else `FOLDER`.
        settings: of the run; a seed that is not drawn yet is left out.

    Raises:
        OutputError: a field is unknown, or both name a folder.
    """
    if out is not None and folder is not None and out.name != str(out):
        raise OutputError(
            f"--out {str(out)!r} and --outdir {str(folder)!r} both name a folder: give --out a "
            "bare file name"
        )
    name = out if out is not None else Path(f"{STEM}.{settings.output_format}")
    if folder is not None:
        name = folder / name
    elif out is None:
        name = FOLDER / name
    return filled(name, settings)


def filled(template: Path, settings: Settings, *, new: bool = True) -> Path:
    """Return a path with its fields filled in.

    Args:
        template: see `media.names`.
        settings: of the run.
        new: whether a name made of fields must be free; -2, -3, ... are put behind it if not.

    Raises:
        OutputError: a field is unknown.
    """
    parsed = parse_template(str(template))
    if not parsed.fields:
        return parsed.filled({})
    # One run, one moment: files of one run may be named a second apart.
    sized = any(field.name in ("width", "height") for field in parsed.fields)
    facts = facts_of(settings, _size(settings) if sized else (0, 0), _began)
    path = parsed.free(facts)
    return free_path(path.parent, path.stem, path.suffix) if new else path


_began = datetime.datetime.now()


def _size(settings: Settings) -> tuple[int, int]:
    retained = settings.aspect == "retain" and settings.init_image
    return settings.canvas_size(load_picture(settings.init_image).size if retained else None)
