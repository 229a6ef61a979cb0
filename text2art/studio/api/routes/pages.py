"""What people open: the page itself, shared pictures, answers to mails, the API's description."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any

import anyio
import fastapi_offline
from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from text2art.studio.api import html, shapes
from text2art.studio.api.context import Context, Ctx, Who
from text2art.studio.api.html import meta, page, tag, void
from text2art.studio.gallery import JobView
from text2art.studio.model import NotFound, State

router = APIRouter(include_in_schema=False)
WEB = FilePath(__file__).resolve().parents[2] / "web"
ASSETS = FilePath(__file__).resolve().parents[1] / "assets"
SWAGGER = FilePath(fastapi_offline.__file__).parent / "static"
_LONGEST_TITLE = 100  # characters
# Swagger UI styles its elements one by one.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class Files(StaticFiles):
    """Files of the page: asked for anew each time, and sent anew when they changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file, to be asked for anew each time."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, no-cache"
        return response


def install(app: FastAPI) -> None:
    """Let an app answer with pages."""
    app.mount("/assets/swagger", Files(directory=SWAGGER), name="swagger")
    app.mount("/assets", Files(directory=ASSETS), name="assets")
    app.mount("/static", Files(directory=WEB), name="static")
    app.include_router(router)


@router.get("/")
def index() -> FileResponse:
    """Return the page."""
    return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/favicon.ico")
def favicon() -> Response:
    """Return the icon that browsers ask for unasked."""
    path = WEB / "favicon.ico"
    if path.is_file():
        return FileResponse(path, headers={"Cache-Control": "public, max-age=86400"})
    return Response(status_code=204)


@router.get("/robots.txt")
def robots() -> Response:
    """Let search engines find shared pictures only."""
    text = "User-agent: *\nAllow: /a/\nAllow: /api/v1/jobs/\nAllow: /assets/\nDisallow: /\n"
    return Response(text, media_type="text/plain")


@router.get("/jobs/{job_id}")
def job_page(job_id: str) -> RedirectResponse:
    """Open a job in the page: mails point here."""
    return RedirectResponse(f"/?job={job_id}" if job_id.isalnum() else "/", status_code=303)


@router.get("/a/{job_id}")
def share(job_id: str, request: Request, context: Ctx, caller: Who) -> HTMLResponse:
    """Show a picture to whoever has the link, with a card for other sites."""
    try:
        view = context.studio.get(job_id, caller.owner_id)
    except NotFound:
        body = [
            tag("h1", "This picture is not here"),
            tag("p", "It may have been deleted, or is not shown to others (any more)."),
            tag("p", tag("a", "Make one of your own", href="/", class_="button")),
        ]
        return page("Not here - text2art", body, status=404)
    return _share_page(view, _base(request, context))


@router.get("/docs")
def docs() -> HTMLResponse:
    """Describe the API, with files of the studio's own alone."""
    text = html.page("text2art studio: API", [tag("div", id="docs")], head=_DOCS_HEAD)
    text.headers["Content-Security-Policy"] = _DOCS_POLICY
    return text


@router.get("/mail/confirm")
def ask_confirm(token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Ask whether an address may be written to: mail scanners follow links, people press."""
    return _ask(
        "May text2art write to you?",
        "Somebody, you we hope, wants pictures from this studio sent to this address.",
        "Yes, send them",
        "/mail/confirm",
        token,
    )


@router.post("/mail/confirm")
def confirm(context: Ctx, token: Annotated[str, Form(max_length=200)] = "") -> HTMLResponse:
    """Let an address be written to."""
    with context.studio.engine.begin() as connection:
        good = context.book.confirm(connection, token) is not None
    if not good:
        return _say("This link does not work (any more)", "Ask for a new one from the studio.", 404)
    return _say("Thank you", "Pictures will be sent to you as soon as they are done.")


@router.get("/mail/unsubscribe")
def ask_unsubscribe(token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Ask whether an address is to be left alone."""
    return _ask(
        "No more mail?",
        "This studio will never write to this address again, whoever asks.",
        "Leave me alone",
        "/mail/unsubscribe",
        token,
    )


@router.post("/mail/unsubscribe")
async def unsubscribe(
    request: Request, context: Ctx, token: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    """Leave an address alone; also by one click in a mail program (RFC 8058)."""
    if not token:
        async with request.form(max_files=0, max_fields=5) as form:
            token = str(form.get("token", ""))[:200]

    def leave() -> bool:
        with context.studio.engine.begin() as connection:
            return context.book.leave_alone(connection, token)

    if not await anyio.to_thread.run_sync(leave):
        return _say("This link does not work", "It may have been cut off: copy all of it.", 404)
    return _say("Done", "No more mail from this studio.")


_DOCS_HEAD = html.Markup(
    '<link rel="stylesheet" href="/assets/swagger/swagger-ui.css">\n'
    '<script src="/assets/swagger/swagger-ui-bundle.js" defer></script>\n'
    '<script src="/assets/docs.js" defer></script>\n'
)


def _share_page(view: JobView, base: str) -> HTMLResponse:
    shape = shapes.job(view)
    title = _short(shape.prompt) or "A picture"
    result = shape.result
    picture = shape.preview if shape.state == State.DONE.value else None
    width, height = (result.width, result.height) if result else (None, None)
    card = {
        "description": f"Drawn by text2art ({shape.drawer}).",
        "og:type": "website",
        "og:site_name": "text2art",
        "og:title": title,
        "og:description": f"Drawn by text2art ({shape.drawer}).",
        "og:url": f"{base}/a/{shape.id}",
        "og:image": f"{base}{picture}" if picture else None,
        "og:image:alt": title if picture else None,
        "og:image:width": width,
        "og:image:height": height,
        "twitter:card": "summary_large_image" if picture else "summary",
    }
    if not shape.share:
        card = {"robots": "noindex"}
    body: list[object] = []
    if picture:
        facts = {"width": width, "height": height} if width and height else {}
        cells = {"class_": "cells"} if shape.drawer == "pixel" else {}
        body.append(tag("figure", void("img", src=picture, alt=shape.prompt, **facts, **cells)))
    body.append(tag("h1", shape.prompt or "A picture"))
    rows = {
        "Drawer": shape.drawer,
        "Size": f"{width} x {height}" if width else None,
        "Seed": shape.seed,
        "Steps": result.steps if result else None,
        "Likes": shape.likes or None,
    }
    told = [tag("dt", name) + tag("dd", value) for name, value in rows.items() if value is not None]
    body.append(tag("dl", html.Markup("".join(told))))
    if result:
        links = [
            tag("a", ending.upper(), href=f"{url}&download=1")
            for ending, url in result.files.items()
        ]
        body.append(tag("p", "Download: ", html.Markup(", ".join(links))))
    body.append(tag("p", tag("a", "Open in the studio", href=f"/?job={shape.id}", class_="button")))
    return page(f"{title} - text2art", body, head=meta(card))


def _ask(title: str, text: str, button: str, action: str, token: str) -> HTMLResponse:
    form = tag(
        "form",
        void("input", type="hidden", name="token", value=token),
        tag("button", button, type="submit"),
        method="post",
        action=action,
    )
    return _say(title, text, 200, form)


def _say(title: str, text: str, status: int = 200, *more: object) -> HTMLResponse:
    answer = page(f"{title} - text2art", [tag("h1", title), tag("p", text), *more], status=status)
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address holds a token
    return answer


def _base(request: Request, context: Context) -> str:
    return context.config.public_url or str(request.base_url).rstrip("/")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "\u2026"
