"""Pictures that a request names by URL, fetched before the job is queued.

The studio asks for them, once, through its guard; workers then read files of the studio and
nothing from strangers' servers. What is not there fails at once, before its maker has gone home.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

import anyio

from text2art.errors import InputFileError
from text2art.serving import references
from text2art.settings import MAX_SEED, Settings
from text2art.studio import faults, intake
from text2art.studio.config import Caps
from text2art.studio.uploads import Uploads

MOST_URLS = 16  # of one request


async def localized(
    values: Mapping[str, Any],
    count: int,
    owner_id: str,
    uploads: Uploads,
    caps: Caps,
    key: str | None = None,
) -> dict[str, Any]:
    """Return settings whose pictures are all files of the studio.

    Args:
        values: settings as they were sent.
        count: jobs of the batch: each seed may choose other pictures.
        owner_id: who asks.
        uploads: takes pictures in.
        caps: what a request may ask for.
        key: of idempotency: the same key draws the same seed, where that decides what is fetched.

    Raises:
        SettingsError: the settings are not valid, or a picture cannot be had.
    """
    settings = await anyio.to_thread.run_sync(_read, values, caps)
    if "://" not in json.dumps(settings.given()):
        return dict(values)
    if values.get("seed") in (None, ""):
        settings = settings.changed(seed=_seed(owner_id, key))
    urls = urls_of(intake.seeds(settings, count))
    given = settings.given()
    if not urls:
        return given
    if len(urls) > MOST_URLS:
        raise faults.blamed(
            InputFileError(f"{len(urls)} pictures are named by URL, at most {MOST_URLS} may be"),
            faults.naming(given, urls[-1]),
        )
    texts = list(_texts(given))
    for url in urls:
        if not any(url in text for text in texts):
            raise faults.fault(
                "prompts",
                f"the URL {url[:200]!r} is put together from choices or escapes: write it out, or "
                "upload the picture",
            )
    keys = {}
    for url in urls:
        with faults.about(faults.naming(given, url)):
            keys[url] = (await uploads.fetch(owner_id, url.strip())).key
    replaced: dict[str, Any] = _replaced(given, sorted(keys.items(), key=lambda p: -len(p[0])))
    return replaced


def urls_of(batch: list[Settings]) -> list[str]:
    """Return the URLs of pictures that any of the settings names, each once.

    Raises:
        SettingsError: what only text files are is named by URL: a palette or vectors.
    """
    found: dict[str, None] = {}
    for settings in batch:
        assert settings.seed is not None
        for name, source in references.pictures_of(settings.chosen(settings.seed)):
            if not references.is_url(source):
                continue
            if name in ("palette", "lookup.palette", "vector_prompts"):
                raise faults.fault(
                    name,
                    f"{name}: the studio fetches pictures only, not {source[:200]!r}: write the "
                    "colors themselves",
                )
            found[source] = None
    return list(found)


def _read(values: Mapping[str, Any], caps: Caps) -> Settings:
    return faults.reading(values, lambda given: intake.read(given, caps))


def _seed(owner_id: str, key: str | None) -> int:
    if key is None:
        return secrets.randbelow(MAX_SEED)
    digest = hashlib.sha256(f"{owner_id} {key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % MAX_SEED


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def _replaced(value: Any, pairs: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for url, key in pairs:
            value = value.replace(url, key)
        return value
    if isinstance(value, dict):
        return {name: _replaced(part, pairs) for name, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, pairs) for part in value]
    return value
