"""Pages that the server writes itself. Whatever strangers wrote is escaped, here and only here."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from string import Template

from fastapi.responses import HTMLResponse

_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
$head<link rel="stylesheet" href="/assets/plain.css">
</head>
<body class="plain">
<main>
<header><a href="/">text2art studio</a></header>
$body
</main>
</body>
</html>
"""
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def e(text: object) -> Markup:
    """Return a text as HTML shows it, in elements and in quoted attributes."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=True))


def tag(name: str, /, *inner: object, **attributes: object) -> Markup:
    """Return an element; an underscore at the end of an attribute's name is left out."""
    return Markup(_open(name, attributes) + "".join(e(part) for part in inner) + f"</{name}>")


def void(name: str, /, **attributes: object) -> Markup:
    """Return an element that holds nothing, as `img`."""
    return Markup(_open(name, attributes))


def meta(properties: Mapping[str, object]) -> Markup:
    """Return cards for other sites: OpenGraph by `property`, others by `name`."""
    lines = [
        void("meta", **{("property" if key.startswith("og:") else "name"): key, "content": value})
        for key, value in properties.items()
        if value is not None
    ]
    return Markup("".join(f"{line}\n" for line in lines))


def page(
    title: str, body: Sequence[object], *, head: Markup | None = None, status: int = 200
) -> HTMLResponse:
    """Return a page."""
    text = _PAGE.substitute(
        title=e(title), head=head or Markup(""), body="\n".join(e(part) for part in body)
    )
    return HTMLResponse(text, status_code=status)


def _open(name: str, attributes: Mapping[str, object]) -> str:
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{e(value)}"' for key, value in attributes.items()
    )
    return f"<{name}{given}>"
