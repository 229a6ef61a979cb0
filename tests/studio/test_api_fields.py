"""Every refusal for what was asked says in which field it is wrong, whoever found it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.studio.site import Site, ended, site, submitted
from text2art import fields
from text2art.errors import SettingsError
from text2art.studio import faults, intake
from text2art.studio.config import Caps

KEY = f"uploads/{'a' * 64}.png"
NOBODYS = "0" * 26  # the same in every process that collects these tests
JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site")
    words = data / "words.txt"
    words.write_text("banana\n")
    (data / "studio.db").write_bytes(prepared_file.read_bytes())
    options: dict[str, Any] = {
        "prompt_filter": f"words:{words}",
        "mail_transport": "null",
        "mail_from": "a@b.org",
    }
    with site(data, f"sqlite:///{data / 'studio.db'}", workers=1, **options) as one:
        yield one


@pytest.fixture
def client(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


@pytest.mark.parametrize(
    ("body", "field"),
    [
        # what pydantic finds
        ({"iterations": 99_999}, "iterations"),
        ({"quality": "superb"}, "quality"),
        ({"pixel": {"cells": "x"}}, "pixel.cells"),
        ({"pixel": {"celz": "4x4"}}, "pixel.celz"),
        ({"pixel": 7}, "pixel"),
        ({"promts": "x"}, "promts"),
        ({"num_cuts": -4}, "num_cuts"),  # an old name is what was sent
        # what the settings' own readers find
        ({"prompts": "a ||b"}, "prompts"),
        ({"prompts": "a:{1/0}"}, "prompts"),
        ({"prompts": ["a", 4]}, "prompts"),
        ({"prompts": []}, "prompts"),
        ({"palette": "red, blu"}, "palette"),
        ({"drawer": "pixle"}, "drawer"),
        ({"losses": "nothing:1"}, "losses"),
        ({"filters": "lookup->@/etc/passwd"}, "filters"),
        ({"styles": "nosuch"}, "styles"),
        ({"size": "12"}, "size"),
        ({"aspect": "9:zero"}, "aspect"),
        ({"seed": -1}, "seed"),
        ({"display_every": "3 parsecs"}, "display_every"),
        ({"learning_rate_drops": "200"}, "learning_rate_drops"),
        # what the studio allows
        ({"iterations": 5000}, "iterations"),
        ({"size": "4000x4000"}, "size"),
        ({"scale": 20}, "scale"),
        ({"cuts": 200}, "cuts"),
        ({"starts": 15}, "starts"),
        ({"animation_frames": 1000}, "animation_frames"),
        ({"video_seconds": 61, "video_hold": 1}, "video_seconds"),
        ({"prompts": "a" * 70_000}, "prompts"),
        ({"prompts": "a\x00b"}, "prompts"),
        ({"drawer": "pixel", "palette": "\x00"}, "palette"),
        # what may not be named
        ({"init_image": "/etc/passwd"}, "init_image"),
        ({"init_image": KEY}, "init_image"),
        ({"init_image": f"jobs/{NOBODYS}/1/result.png"}, "init_image"),
        ({"image_prompts": ["a.png"]}, "image_prompts"),
        ({"image_prompts": [KEY]}, "image_prompts"),
        ({"edge": {"image": KEY}, "losses": "edge"}, "edge.image"),
        ({"vqgan": {"model": "/x"}}, "vqgan.model"),
        ({"style": {"file": "/etc/passwd"}}, "style.file"),
        ({"perceptor": "ViT-B-32@/etc/passwd"}, "perceptor"),
        ({"init_image": "http://127.0.0.1/x.png"}, "init_image"),
        ({"image_prompts": ["http://10.0.0.1/x.png"]}, "image_prompts"),
        ({"palette": "@https://example.org/x.gpl"}, "palette"),
        (
            {"image_prompts": " | ".join(f"http://a.example/{n}.png" for n in range(17))},
            "image_prompts",
        ),
        # what the owner does not want
        ({"prompts": "a banana"}, "prompts"),
        ({"labels": ["banana"]}, "labels"),
        # how jobs are treated
        ({"count": 0}, "count"),
        ({"count": 17}, "count"),
        ({"priority": 101}, "priority"),
        ({"delay": -1}, "delay"),
        ({"public": "perhaps"}, "public"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b.org\r\nBcc: c@d.org"}, "email"),
        ({"webhook_url": "ftp://x.example"}, "webhook_url"),
        ({"webhook_url": "http://localhost/"}, "webhook_url"),
        # several at once: the first
        ({"cuts": -1, "iterations": -1}, "cuts"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_refused_job_names_the_field(
    client: httpx.Client, body: dict[str, Any], field: str
) -> None:
    response = client.post(JOBS, json={"prompts": "a cat", "seed": 3, **body})
    assert (response.status_code, response.json()["field"]) == (422, field), response.text


@pytest.mark.parametrize(
    ("method", "path", "sent", "field"),
    [
        ("POST", JOBS, {"json": {}}, "prompts"),
        ("POST", JOBS, {"json": [1]}, "body"),
        ("POST", JOBS, {"json": {"prompts": "x"}, "headers": {"Idempotency-Key": "x" * 201}},
         "Idempotency-Key"),
        ("POST", JOBS, {"json": {"prompts": "x"}, "headers": {"Idempotency-Key": "a\tb"}},
         "Idempotency-Key"),
        ("GET", JOBS, {"params": {"limit": 0}}, "limit"),
        ("GET", JOBS, {"params": {"state": "lost"}}, "state"),
        ("GET", JOBS, {"params": {"cursor": "x"}}, "cursor"),
        ("GET", "/api/v1/gallery", {"params": {"cursor": "x"}}, "cursor"),
        ("GET", "/api/v1/gallery", {"params": {"q": "x" * 201}}, "q"),
        ("GET", "/api/v1/events", {"params": {"after": "x", "wait": 90}}, "wait"),
        ("POST", "/api/v1/prompt", {"json": {"prompts": "a ||b"}}, "prompts"),
        ("POST", "/api/v1/prompt", {"json": {"prompts": "a", "seed": -4}}, "seed"),
        ("POST", "/api/v1/prompt", {"json": {"prompts": "a", "styles": "nosuch"}}, "styles"),
        ("POST", "/api/v1/prompt", {"json": {"prompts": "a" * 20_001}}, "prompts"),
        ("POST", "/api/v1/prompt", {"json": {}}, "prompts"),
        ("POST", "/api/v1/prompt", {"json": {"prompts": "{|}"}}, "prompts"),
        ("POST", "/api/v1/palettes/read", {"json": {"palette": "red, blu"}}, "palette"),
        ("POST", "/api/v1/palettes/read", {"json": {"palette": "@/etc/passwd"}}, "palette"),
        ("POST", "/api/v1/palettes/read", {"json": "x"}, "body"),
        ("POST", "/api/v1/uploads", {"json": {"url": "http://127.0.0.1/"}}, "url"),
        ("POST", "/api/v1/uploads", {"json": {"url": 7}}, "url"),
        ("POST", "/api/v1/uploads", {"content": b"hello"}, "file"),
        ("POST", "/api/v1/uploads", {"content": b""}, "file"),
        ("POST", "/api/v1/uploads", {"files": {"other": ("x.png", b"x")}}, "file"),
        ("POST", "/api/v1/recall", {"content": b"hello"}, "file"),
        ("POST", "/generate", {"json": {"style": "cubist"}}, "style"),
        ("POST", "/generate", {"json": {"drawer": "pixel"}}, "drawer"),
        ("POST", "/generate", {"json": {"quality": "superb"}}, "quality"),
        ("POST", "/generate", {"json": [1]}, "body"),
        ("POST", "/generate", {"data": {"scale": "many"}}, "scale"),
        ("POST", "/generate",
         {"json": {"prompts": "fail"}, "headers": {"Accept": "image/png"}}, "prompts"),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_other_refusals_do_so_too(
    client: httpx.Client, method: str, path: str, sent: dict[str, Any], field: str
) -> None:
    response = client.request(method, path, **sent)
    assert (response.status_code, response.json()["field"]) == (422, field), response.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"iterations": 5000}, "iterations"),
        ({"step": "last"}, "step"),
        ({"count": 2}, "count"),
        ({"pixel": {"cells": "x"}}, "pixel.cells"),
        ({"protect": KEY}, "protect"),
        ([], "body"),
    ],
    ids=str,
)
def test_so_does_going_on(client: httpx.Client, body: Any, field: str) -> None:
    job = ended(client, submitted(client, iterations=1))
    response = client.post(f"{job['url']}/continue", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field), response.text


def test_pictures_that_cannot_be_fetched_are_told_by_their_setting(
    client: httpx.Client, running: Site
) -> None:
    url = f"http://127.0.0.1:{running.port}/robots.txt"
    for name in ("init_image", "target_images"):
        answer = client.post(JOBS, json={"prompts": "x", "edge": {"color": "red"}, name: url})
        assert (answer.status_code, answer.json()["field"]) == (422, name)


# ---- whose fault it is ----------------------------------------------------------------------


def test_settings_one_by_one_and_back() -> None:
    sent = {"prompts": "a", "pixel": {"cells": "4x4", "cell": "hex"}, "losses": {"smoothness": 1}}
    flat = faults.pairs(sent)
    assert [name for name, _ in flat] == ["prompts", "pixel.cells", "pixel.cell", "losses"]
    assert faults.nested(flat) == sent
    clash = {"pixel": 5, "pixel.cells": "4x4"}  # no settings, but nothing breaks on them
    assert faults.nested(faults.pairs(clash)) == clash


WRONG: dict[str, Any] = {
    "cuts": -1,
    "drawer": "nosuch",
    "aspect": "x",
    "palette": "nocolor",
    "init_image": "/etc/passwd",
    "pixel": {"cells": "x"},
    "vqgan": {"config": "/x"},
}
RIGHT: dict[str, Any] = {
    "quality": "draft",
    "scale": 1.5,
    "styles": "watercolor",
    "transparent": True,
    "edge": {"color": "red"},
    "labels": ["a cat"],
}


@given(st.sampled_from(sorted(WRONG)), st.sets(st.sampled_from(sorted(RIGHT))))
def test_the_only_wrong_setting_is_blamed(wrong: str, right: set[str]) -> None:
    values = {"prompts": "a cat", **{name: RIGHT[name] for name in right}, wrong: WRONG[wrong]}
    with pytest.raises(SettingsError) as caught:
        faults.reading(values, lambda sent: intake.read(sent, Caps()))
    (expected,) = [name for name, _ in faults.pairs({wrong: WRONG[wrong]})]
    assert faults.field_of(caught.value) == expected


def test_blame_costs_a_bounded_number_of_readings() -> None:
    read: list[Any] = []

    def refuse(values: Any) -> None:
        read.append(values)
        raise SettingsError("no")

    rows = {row.name: 1 for row in fields.rows() if "." not in row.name}
    with pytest.raises(SettingsError) as caught:
        faults.reading(rows, refuse)
    assert len(rows) > 50
    assert len(read) <= 25
    assert faults.field_of(caught.value) == "prompts"


def test_a_field_that_is_known_is_kept() -> None:
    with pytest.raises(SettingsError) as caught, faults.about("outer"), faults.about("inner"):
        raise SettingsError("no")
    assert faults.field_of(caught.value) == "inner"
    assert faults.field_of(SettingsError("no")) is None
