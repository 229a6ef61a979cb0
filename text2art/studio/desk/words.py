"""What a page says, as HTML. Words of people and of studios are escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from text2art.errors import Text2ArtError, pointer
from text2art.studio.client.errors import StudioError
from text2art.studio.client.follow import News
from text2art.studio.client.shapes import Catalog, Field, Job

IDLE = "<p class='t2a-line t2a-soft'>Write what you want to see, and press Draw.</p>"


def progress(news: News) -> str:
    """Say how far a job is."""
    job, away = news.job, news.away
    title = _title(job)
    if away is not None:
        again = f"Trying again in {lasting(news.again_in)}; the picture is drawn on meanwhile."
        return title + _line(f"{sentence(away.error)} {again}", "t2a-bad") + _bar(job)
    if job.state == "queued":
        line = f"{_nth(job.position)} in the queue" if job.position else "In the queue"
        line += f", done in {about(job.eta_seconds)}" if job.eta_seconds is not None else ""
        return title + _line(line) + _bar(None) + _notes(news.notices)
    if job.state == "running":
        facts = [f"step {job.step} of {job.steps}" if job.steps else "beginning"]
        if job.eta_seconds is not None and job.step:
            facts.append(f"{about(job.eta_seconds)} left")
        if job.score is not None:
            facts.append(f"score {job.score:.3f}")
        verb = "Stopping" if job.cancel_requested else "Drawing"
        return title + _line(f"{verb}: {', '.join(facts)}") + _bar(job) + _notes(news.notices)
    return finished(job, news.notices)


def finished(job: Job, notices: Iterable[str] = ()) -> str:
    """Say how a job ended."""
    title = _title(job)
    if job.state == "failed":
        return title + _line(f"It failed: {job.error or 'the studio does not say why'}", "t2a-bad")
    facts = [f"{job.step or job.steps} steps"] if job.steps else []
    if job.seconds is not None:
        facts.append(lasting(job.seconds))
    if job.width and job.height:
        facts.append(f"{job.width} x {job.height}")
    if job.seed is not None:
        facts.append(f"seed {job.seed}")
    if job.score is not None:
        facts.append(f"score {job.score:.3f}")
    verb = "Done" if job.state == "done" else "Stopped; this is how far it got"
    if job.state == "canceled" and not job.preview:
        return title + _line("Stopped before the first picture.")
    return title + _line(f"{verb}{': ' if facts else ''}{', '.join(facts)}") + _notes(notices)


def problem(error: Text2ArtError) -> str:
    """Say what is wrong, in the studio's words, with a mark under the place in a text."""
    if not isinstance(error, StudioError):
        return _line(sentence(str(error)), "t2a-bad", role="alert")
    lines = _line(sentence(error.error), "t2a-bad", role="alert")
    if error.source.strip():
        lines += f"<pre class='t2a-caret'>{escape(pointer(error.source, error.at))}</pre>"
    return lines + (_line(error.hint, "t2a-soft") if error.hint else "")


def retrying(error: StudioError, seconds: float) -> str:
    """Say that a request is sent again."""
    return _line(f"{sentence(error.error)} Trying again in {lasting(seconds)}.", "t2a-bad")


def notices(texts: Iterable[str]) -> str:
    """Say what there is to say about a prompt."""
    return _notes(texts)


def swatches(colors: Iterable[str]) -> str:
    """Show colors, #rrggbb each."""
    good = [c for c in colors if len(c) == 7 and c[0] == "#" and c[1:].isalnum()]
    boxes = "".join(f"<i style='background:{color}' title='{color}'></i>" for color in good)
    return f"<div class='t2a-colors'>{boxes}</div>" if boxes else ""


def table(catalog: Catalog, left_out: Iterable[str]) -> str:
    """List a studio's settings: name, default, help."""
    boxed = set(left_out)
    rows = "".join(
        f"<p><code>{escape(one.name)}{escape(_value(one.default))}</code><br>"
        f"{escape(one.help)}{escape(_choices(one))}</p>"
        for one in catalog.fields.values()
        if one.name not in boxed
    )
    return f"<div class='t2a-table' tabindex='0'>{rows}</div>"


def hint(text: str) -> str:
    """Say something quietly."""
    return _line(text, "t2a-soft") if text else ""


def about(seconds: float) -> str:
    """Return "about 40 s", "about 3 min", "about 2 h"."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.0f} h"


def lasting(seconds: float) -> str:
    """Return "42 s", "3 min 5 s", "2 h 10 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def sentence(text: str) -> str:
    """Return a message of an error as a sentence."""
    line = text.strip()
    line = line[:1].upper() + line[1:] if line.startswith("the ") else line
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _title(job: Job) -> str:
    return f"<p class='t2a-title'>{escape(job.prompt)}</p>" if job.prompt else ""


def _value(default: object) -> str:
    if default in (None, "", []):
        return ""
    return f": {default if isinstance(default, str) else json.dumps(default)}"


def _choices(field: Field) -> str:
    return f" {', '.join(field.choices)}." if field.choices else ""


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 < number % 100 < 14 else ending}"


def _line(text: str, kind: str = "", role: str = "") -> str:
    said = f" role='{role}'" if role else ""
    return f"<p class='t2a-line {kind}'{said}>{escape(text)}</p>"


def _notes(texts: Iterable[str]) -> str:
    return "".join(_line(text, "t2a-note") for text in texts)


def _bar(job: Job | None) -> str:
    if job is None or not job.steps:
        return "<div class='t2a-bar'><b class='t2a-unknown'></b></div>"
    share = min(1.0, job.step / job.steps)
    return (
        "<div class='t2a-bar' role='progressbar' aria-label='How far the picture is' "
        f"aria-valuemin='0' aria-valuemax='{job.steps}' aria-valuenow='{job.step}'>"
        f"<b style='width:{100 * share:.1f}%'></b></div>"
    )
