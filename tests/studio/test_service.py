"""The acts of the studio: who may what, what is refused, what is kept."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from text2art.errors import QueueFull, SettingsError
from text2art.settings import Settings
from text2art.studio import intake
from text2art.studio import store as store_
from text2art.studio.config import Caps
from text2art.studio.db.tables import jobs, outbox, uploads
from text2art.studio.ids import new_id
from text2art.studio.model import (
    Claim,
    Conflict,
    EventType,
    Job,
    NewEvent,
    NotFound,
    Outcome,
    OwnerKind,
    State,
    Verdict,
)
from text2art.studio.service import LOCAL, Ask, Studio

ASKED = {"prompts": "a red apple", "drawer": "pixel", "size": "32x32", "iterations": 20, "seed": 7}


def owner(studio: Studio) -> str:
    return studio.owner(OwnerKind.SESSION).id


def draw(studio: Studio, job: Job, *, picture: bool = True) -> Claim:
    """Claim a job and end it well."""
    claim = studio.queue.claim("w")
    assert claim is not None
    assert claim.job_id == job.id
    key = store_.result_key(job.id, claim.attempt, "png")
    frame = store_.frame_key(job.id, claim.attempt, 10)
    for name in (key, frame):
        studio.store.put(name, b"picture")
    said = [NewEvent(EventType.FRAME, {"step": 10, "key": frame})]
    studio.queue.heartbeat(claim, events=said)
    outcome = Outcome(State.DONE, {"files": {"png": key}} if picture else None)
    assert studio.queue.finish(claim, outcome)
    return claim


def drawn(studio: Studio, owner_id: str, **changes: Any) -> Job:
    job = studio.submit({**ASKED, **changes}, owner_id, Ask(public=True))[0]
    draw(studio, job)
    return job


# ---- handing in ----------------------------------------------------------------------------


def test_a_request_becomes_a_job(studio: Studio) -> None:
    me = owner(studio)
    (job,) = studio.submit({**ASKED, "use_pixeldraw": True, "drawer": "pixel"}, me)
    assert (job.owner_id, job.state, job.steps, job.seed) == (me, State.QUEUED, 20, 7)
    assert (job.prompt, job.drawer, job.public) == ("a red apple", "pixel", False)
    assert Settings.of(**job.settings).canvas_size() == (32, 32)
    view = studio.get(job.id, me)
    assert (view.position, view.mine, view.likes, view.frames) == (1, True, 0, {})
    assert studio.counts()[State.QUEUED] == 1


def test_a_seed_is_drawn_once_and_kept(studio: Studio) -> None:
    asked = {name: value for name, value in ASKED.items() if name != "seed"}
    seeds = {studio.submit(asked, LOCAL)[0].seed for _ in range(5)}
    assert len(seeds) == 5
    assert all(isinstance(seed, int) for seed in seeds)


def test_a_batch_counts_its_seeds_up(studio: Studio) -> None:
    made = studio.submit(ASKED, LOCAL, Ask(count=3))
    assert [job.seed for job in made] == [7, 8, 9]
    assert len({job.batch_id for job in made}) == 1
    page = studio.list_mine(LOCAL, batch_id=made[0].batch_id)
    assert {view.job.id for view in page.jobs} == {job.id for job in made}
    words = studio.submit({**ASKED, "seed": "blue moon"}, LOCAL, Ask(count=2))
    assert [job.seed for job in words] == ["blue moon", "blue moon 2"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompts": []}, "no prompt"),
        ({"drawr": "pixel"}, "drawer"),
        ({"drawer": "pixl"}, "pixel"),
        ({"iterations": 1001}, "iterations: 1001 .*1000"),
        ({"size": "1025x1024"}, "pixels"),
        ({"size": None, "scale": 20}, "pixels"),
        ({"cuts": 200}, "cuts"),
        ({"starts": 15}, "starts"),
        ({"animation_frames": 1000}, "steps altogether"),
        ({"batches": 64, "iterations": 1000}, "steps altogether"),
        ({"video_seconds": 61, "video_hold": 1}, "video"),
        ({"init_image": "/etc/passwd"}, "http"),
        ({"init_image": "file:///etc/passwd"}, "http"),
        ({"init_image": "uploads/../../etc/passwd"}, "http"),
        ({"init_image": "uploads/" + "a" * 64 + ".png"}, "upload it"),
        ({"init_image": "jobs/" + new_id() + "/1/result.png"}, "upload it"),
        ({"init_image": "x/uploads/" + "a" * 64 + ".png"}, "http"),
        ({"prompts": "@/etc/passwd"}, "names a file"),
        ({"prompts": "{@|@}/etc/passwd"}, "names a file"),
        ({"image_prompts": ["/etc/passwd"]}, "names a file"),
        ({"perceptor": "ViT-B-32@/etc/passwd"}, "may name a file"),
        ({"animation_dir": "/etc", "animation_frames": 2}, "folder"),
        ({"palette": "@/etc/passwd"}, "palette"),
        ({"prompts": "a\x00b"}, "NUL"),
        ({"prompts": "a\ud800b"}, "UTF-8"),
        ({"prompts": "a" * 70_000}, "70[0-9]+ characters"),
        ({"iterations": float("nan")}, "finite"),
        ({"losses": {"smoothness": float("inf")}}, "finite"),
    ],
)
def test_what_cannot_be_drawn_here_is_refused_in_one_line(
    open_studio: Callable[..., Studio],
    new_url: Callable[[str], str],
    changes: dict[str, Any],
    says: str,
) -> None:
    studio = open_studio(new_url("sqlite"))
    with pytest.raises(SettingsError, match=says) as caught:
        studio.submit({**ASKED, **changes}, LOCAL)
    assert "\n" not in str(caught.value)
    assert studio.counts()[State.QUEUED] == 0


def test_depth_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(SettingsError, match="reasonable depth"):
        intake.read({**ASKED, "prompts": deep}, Caps())


@given(
    st.dictionaries(
        st.sampled_from([*ASKED, "palette", "losses", "init_image", "styles", "x", "cls", "self"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_whatever_is_sent_is_read_or_refused(values: dict[str, Any]) -> None:
    try:
        settings = intake.read(values, Caps())
    except SettingsError:
        return
    assert settings.steps <= Caps().iterations
    assert Settings.of(**json.loads(json.dumps(settings.given()))) == settings


def test_every_seed_of_a_batch_is_checked(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str]
) -> None:
    """What is harmless by the choices of one seed may name a file by those of the next."""
    studio = open_studio(new_url("sqlite"))
    hidden = {**ASKED, "prompts": "{@|}/etc/passwd"}
    alone = []
    for seed in range(16):
        try:
            studio.submit({**hidden, "seed": seed}, LOCAL)
        except SettingsError:
            alone.append(seed)
    assert 0 < len(alone) < 16
    first = next(seed for seed in range(16) if seed not in alone and seed + 1 in alone)
    with pytest.raises(SettingsError, match="names a file"):
        studio.submit({**hidden, "seed": first}, LOCAL, Ask(count=2))


@pytest.mark.parametrize(
    "ask",
    [
        Ask(count=0),
        Ask(count=17),
        Ask(priority=101),
        Ask(delay=-1.0),
        Ask(delay=float("inf")),
        Ask(delay=float("nan")),
        Ask(lane="mail"),
        Ask(idempotency_key=""),
        Ask(idempotency_key="x" * 201),
        Ask(idempotency_key="a\nb"),
    ],
)
def test_odd_ways_to_ask_are_refused(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str], ask: Ask
) -> None:
    studio = open_studio(new_url("sqlite"))
    with pytest.raises(SettingsError):
        studio.submit(ASKED, LOCAL, ask)


def test_nobody_hands_in_jobs_for_nobody(studio: Studio) -> None:
    with pytest.raises(NotFound, match="owner"):
        studio.submit(ASKED, "nobody")


def test_the_owners_check_of_prompts_is_asked(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str], tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("banana\n")
    studio = open_studio(new_url("sqlite"), prompt_filter=f"words:{words}")
    studio.submit(ASKED, LOCAL)
    for prompts in ("a BANANA", "a {banana|banana} tree", ["tree", "banana"]):
        with pytest.raises(SettingsError):
            studio.submit({**ASKED, "prompts": prompts}, LOCAL)


# ---- caps and keys -------------------------------------------------------------------------


def test_the_cap_of_waiting_jobs_is_exact(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url, caps=Caps(queued_per_owner=5, queued=8))
    me, other = owner(studio), owner(studio)
    barrier = threading.Barrier(10, timeout=60)

    def ask(_: int) -> bool:
        barrier.wait()
        try:
            studio.submit(ASKED, me)
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        accepted = sum(pool.map(ask, range(10)))
    assert accepted == 5
    with pytest.raises(QueueFull, match="5 jobs waiting"):
        studio.submit(ASKED, me)
    with pytest.raises(QueueFull, match="queue is full"):
        studio.submit(ASKED, other, Ask(count=4))
    assert len(studio.submit(ASKED, other, Ask(count=3))) == 3
    with pytest.raises(QueueFull, match="queue is full"):
        studio.submit(ASKED, other)


def test_a_key_hands_in_once(studio: Studio) -> None:
    me = owner(studio)
    ask = Ask(count=3, idempotency_key="once")
    barrier = threading.Barrier(6, timeout=60)

    def submit(_: int) -> list[str]:
        barrier.wait()
        return [job.id for job in studio.submit(ASKED, me, ask)]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(submit, range(6)))
    assert all(answer == answers[0] for answer in answers)
    assert studio.counts()[State.QUEUED] == 3
    with pytest.raises(Conflict, match="another request"):
        studio.submit({**ASKED, "seed": 8}, me, ask)
    assert studio.submit(ASKED, owner(studio), ask)[0].id not in answers[0]


def test_a_key_is_good_even_when_the_queue_is_full(
    open_studio: Callable[..., Studio], url: str
) -> None:
    studio = open_studio(url, caps=Caps(queued_per_owner=1))
    ask = Ask(idempotency_key="k")
    first = studio.submit({"prompts": "x"}, LOCAL, ask)
    assert studio.submit({"prompts": "x"}, LOCAL, ask) == first


# ---- who may see and do --------------------------------------------------------------------


def test_others_jobs_do_not_exist(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    job = studio.submit(ASKED, me)[0]
    acts: list[Callable[[], object]] = [
        lambda: studio.get(job.id, other),
        lambda: studio.get(job.id, None),
        lambda: studio.cancel(job.id, other),
        lambda: studio.retry(job.id, other),
        lambda: studio.delete(job.id, other),
        lambda: studio.undelete(job.id, other),
        lambda: studio.publish(job.id, other),
        lambda: studio.like(job.id, other),
        lambda: studio.events_since(job.id, other),
        lambda: studio.continue_from(job.id, other),
        lambda: studio.get("../etc/passwd", me),
        lambda: studio.get(new_id(), me),
    ]
    for act in acts:
        with pytest.raises(NotFound, match="there is no job"):
            act()
    assert studio.list_mine(other).jobs == []
    assert studio.all_events_since(other) == []
    assert studio.get(job.id, me).job == job


def test_publishing_shows_a_finished_picture_and_no_other(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    job = studio.submit(ASKED, me, Ask(public=True))[0]
    with pytest.raises(NotFound):
        studio.get(job.id, other)
    draw(studio, job)
    assert studio.get(job.id, other).mine is False
    assert [view.job.id for view in studio.gallery(None).jobs] == [job.id]
    studio.publish(job.id, me, False)
    with pytest.raises(NotFound):
        studio.get(job.id, other)
    studio.publish(job.id, me)
    studio.hide(job.id)
    with pytest.raises(NotFound):
        studio.get(job.id, other)
    assert studio.gallery(me).jobs == []
    assert studio.get(job.id, me).job.hidden
    studio.hide(job.id, False)
    assert len(studio.gallery(other).jobs) == 1


def test_liking_counts_each_once(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    job = drawn(studio, me)
    assert [studio.like(job.id, me), studio.like(job.id, me), studio.like(job.id, other)] == [
        1,
        1,
        2,
    ]
    view = studio.get(job.id, other)
    assert (view.liked, view.likes) == (True, 2)
    assert studio.like(job.id, other, False) == 1
    assert [v.job.id for v in studio.gallery(me, liked=True).jobs] == [job.id]
    assert studio.gallery(other, liked=True).jobs == []
    assert studio.gallery(None, liked=True).jobs == []


# ---- ends and beginnings -------------------------------------------------------------------


def test_canceling(studio: Studio) -> None:
    waiting, running = studio.submit(ASKED, LOCAL, Ask(count=2))
    claim = studio.queue.claim("w")
    assert claim is not None
    if claim.job_id != running.id:
        waiting, running = running, waiting
    assert studio.cancel(waiting.id, LOCAL).state is State.CANCELED
    assert studio.cancel(waiting.id, LOCAL).state is State.CANCELED
    assert studio.cancel(running.id, LOCAL).cancel_requested
    assert studio.queue.look(claim) is Verdict.CANCEL
    studio.queue.finish(claim, Outcome(State.CANCELED))
    assert studio.retry(running.id, LOCAL).state is State.QUEUED
    draw(studio, running)
    with pytest.raises(Conflict, match="over already"):
        studio.cancel(running.id, LOCAL)
    with pytest.raises(Conflict):
        studio.retry(running.id, LOCAL)


def test_deleting_and_undoing_it(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    job = drawn(studio, me)
    studio.like(job.id, other)
    studio.delete(job.id, me)
    for viewer in (me, other):
        with pytest.raises(NotFound):
            studio.get(job.id, viewer)
    assert studio.gallery(None).jobs == studio.list_mine(me).jobs == []
    with pytest.raises(NotFound):
        studio.delete(job.id, me)
    assert studio.undelete(job.id, me).deleted_at is None
    assert studio.get(job.id, other).likes == 1


def test_deleting_stops_what_runs(studio: Studio) -> None:
    job = studio.submit(ASKED, LOCAL)[0]
    claim = studio.queue.claim("w")
    assert claim is not None
    studio.delete(job.id, LOCAL)
    assert studio.queue.heartbeat(claim) is Verdict.CANCEL


def test_continuing_from_a_checkpoint(studio: Studio) -> None:
    job = studio.submit(ASKED, LOCAL)[0]
    claim = studio.queue.claim("w")
    assert claim is not None
    checkpoint = {"step": 20, "key": store_.checkpoint_key(job.id, 1, 20), "sha256": "0" * 64}
    studio.queue.heartbeat(claim, checkpoint=checkpoint)
    studio.queue.finish(claim, Outcome(State.DONE, {"files": {"png": "x"}}))
    more = studio.continue_from(job.id, LOCAL, {"iterations": 30})
    assert more.parent_id == job.id
    assert more.checkpoint == {**checkpoint, "job_id": job.id}
    assert more.settings == {**job.settings, "iterations": 30}


def test_continuing_from_a_picture(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    job = drawn(studio, me)
    last = studio.continue_from(job.id, other, {"prompts": "a green apple"})
    assert last.settings["init_image"] == store_.result_key(job.id, 1, "png")
    assert (last.prompt, last.owner_id, last.seed) == ("a green apple", other, 7)
    early = studio.continue_from(job.id, me, step=10)
    assert early.settings["init_image"] == store_.frame_key(job.id, 1, 10)
    with pytest.raises(NotFound, match="step 11"):
        studio.continue_from(job.id, me, step=11)
    with pytest.raises(Conflict, match="no picture yet"):
        studio.continue_from(last.id, other)


def test_pictures_may_be_used_by_who_may_see_them(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    job = drawn(studio, me)
    key = store_.result_key(job.id, 1, "png")
    studio.submit({**ASKED, "init_image": key}, other)
    studio.submit({**ASKED, "prompts": f"an apple | @{key}:0.5"}, other)
    studio.publish(job.id, me, False)
    with pytest.raises(SettingsError, match="no picture"):
        studio.submit({**ASKED, "init_image": key}, other)
    with pytest.raises(SettingsError, match="no picture"):
        studio.submit({**ASKED, "prompts": f"an apple | @{key}:0.5"}, other)
    lost = store_.result_key(job.id, 2, "png")
    studio.store.put(lost, b"of a lost attempt")
    with pytest.raises(SettingsError, match="no picture"):
        studio.submit({**ASKED, "init_image": lost}, me)


def test_uploads_are_noted_as_used(studio: Studio) -> None:
    key = studio.store.put_upload(b"picture")
    row = {"sha256": key[8:72], "key": key, "bytes": 7, "width": 1, "height": 1}
    with studio.engine.begin() as connection:
        connection.execute(uploads.insert().values(**row, created=1.0, used=1.0))
    studio.submit({**ASKED, "init_image": key}, LOCAL)
    with studio.engine.connect() as connection:
        assert connection.execute(select(uploads.c.used)).scalar_one() > 1.0


def test_pausing(studio: Studio) -> None:
    studio.submit(ASKED, LOCAL)
    studio.pause()
    assert studio.paused()
    assert studio.queue.claim("w") is None
    studio.resume()
    assert studio.queue.claim("w") is not None


# ---- lists ---------------------------------------------------------------------------------


def test_the_gallery_is_newest_first_in_pages_that_nothing_shifts(studio: Studio) -> None:
    me = owner(studio)
    made = [drawn(studio, me, seed=seed) for seed in range(7)]
    newest = [job.id for job in reversed(made)]
    first = studio.gallery(None, limit=3)
    late = drawn(studio, me, seed=99)
    studio.delete(made[5].id, me)
    second = studio.gallery(None, cursor=first.next, limit=3)
    third = studio.gallery(None, cursor=second.next, limit=3)
    seen = [view.job.id for page in (first, second, third) for view in page.jobs]
    assert seen == newest
    assert third.next is None
    assert studio.gallery(None).jobs[0].job.id == late.id


def test_pictures_of_the_same_moment_are_all_shown(studio: Studio) -> None:
    made = [drawn(studio, LOCAL, seed=seed).id for seed in range(5)]
    with studio.engine.begin() as connection:
        connection.execute(update(jobs).values(finished=1_700_000_000.125))
    seen, cursor = [], None
    while True:
        page = studio.gallery(None, cursor=cursor, limit=2)
        seen += [view.job.id for view in page.jobs]
        if (cursor := page.next) is None:
            break
    assert seen == sorted(made, reverse=True)


@pytest.mark.parametrize("cursor", ["x", "1_2", "nan_" + "0" * 26, "1e9_" + "0" * 26, "1" * 500])
def test_cursors_that_are_none(studio: Studio, cursor: str) -> None:
    with pytest.raises(SettingsError, match="cursor"):
        studio.gallery(None, cursor=cursor)


def test_searching_by_words(studio: Studio) -> None:
    apple = drawn(studio, LOCAL, prompts="a RED Apple")
    tree = drawn(studio, LOCAL, prompts="100% of an apple_tree", drawer="fft")

    def found(words: str, **more: Any) -> set[str]:
        return {view.job.id for view in studio.gallery(None, words=words, **more).jobs}

    assert found("apple") == {apple.id, tree.id}
    assert found("APPLE red") == found("pixel") == {apple.id}
    assert found("%") == found("apple_") == found("100% tree") == {tree.id}
    assert found("'; DROP TABLE jobs; --") == found("\\") == set()
    assert found("", drawer="fft") == {tree.id}


def test_my_jobs_are_mine_newest_first(studio: Studio) -> None:
    me = owner(studio)
    drawn(studio, owner(studio))
    made = [studio.submit(ASKED, me)[0].id for _ in range(3)]
    studio.cancel(made[1], me)
    assert [view.job.id for view in studio.list_mine(me).jobs] == made[::-1]
    waiting = studio.list_mine(me, state=State.QUEUED).jobs
    assert [(view.job.id, view.position) for view in waiting] == [(made[2], 2), (made[0], 1)]
    assert len(studio.list_mine(me, limit=0).jobs) == 1


def test_the_wait_is_estimated_from_the_latest_jobs(studio: Studio) -> None:
    done = drawn(studio, LOCAL)
    with studio.engine.begin() as connection:
        connection.execute(
            update(jobs).where(jobs.c.id == done.id).values(started=1000.0, finished=1060.0)
        )
    for worker in ("w1", "w2"):
        studio.queue.enlist(worker, runner="local", device="cpu", lanes=["gpu"])
    first, second = studio.submit(ASKED, LOCAL, Ask(count=2))
    views = [studio.get(job.id, LOCAL) for job in (first, second)]
    assert sorted(view.eta_seconds or 0 for view in views) == [30.0, 60.0]


def test_events_are_the_owners(studio: Studio) -> None:
    me, other = owner(studio), owner(studio)
    place = studio.here()
    job = drawn(studio, me)
    mine = studio.all_events_since(me, place)
    assert mine == studio.events_since(job.id, me) == studio.events_since(job.id, other)
    assert [e.data["state"] for e in mine if e.type is EventType.STATE][-1] == "done"
    assert studio.events_since(job.id, me, seq=mine[-1].seq) == []
    assert studio.get(job.id, other).frames == {10: store_.frame_key(job.id, 1, 10)}


# ---- messages ------------------------------------------------------------------------------


def messages(studio: Studio) -> list[Any]:
    with studio.engine.connect() as connection:
        return list(connection.execute(select(outbox).order_by(outbox.c.created, outbox.c.id)))


def test_ends_are_told_to_webhooks(studio: Studio) -> None:
    ask = Ask(count=2, webhook_url="https://example.org/hook")
    first, second = studio.submit(ASKED, LOCAL, ask)
    studio.cancel(second.id, LOCAL)
    draw(studio, first)
    told = [
        (row.kind, row.target, row.payload["job_id"], row.payload["state"])
        for row in messages(studio)
    ]
    assert told == [
        ("webhook", "https://example.org/hook", second.id, "canceled"),
        ("webhook", "https://example.org/hook", first.id, "done"),
    ]


def test_a_batch_is_told_of_in_one_mail(studio: Studio) -> None:
    email = studio_email(studio)
    made = studio.submit(ASKED, LOCAL, Ask(count=4, email_id=email))
    claims = [studio.queue.claim(f"w{n}") for n in range(4)]
    barrier = threading.Barrier(4, timeout=60)

    def finish(claim: Claim | None) -> None:
        assert claim is not None
        barrier.wait()
        studio.queue.finish(claim, Outcome(State.DONE))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(finish, claims))
    (mail,) = messages(studio)
    assert (mail.kind, mail.target) == ("mail", email)
    assert sorted(mail.payload["job_ids"]) == sorted(job.id for job in made)


def test_what_its_owner_gave_up_is_not_mailed(studio: Studio) -> None:
    ask = Ask(email_id=studio_email(studio))
    studio.cancel(studio.submit(ASKED, LOCAL, ask)[0].id, LOCAL)
    studio.delete(studio.submit(ASKED, LOCAL, ask)[0].id, LOCAL)
    assert messages(studio) == []
    one, two = studio.submit(ASKED, LOCAL, dataclasses.replace(ask, count=2))
    studio.cancel(two.id, LOCAL)
    draw(studio, one)
    (mail,) = messages(studio)
    assert mail.payload["job_ids"] == [one.id]


def studio_email(studio: Studio) -> str:
    from text2art.studio.db.tables import emails

    name = new_id()
    with studio.engine.begin() as connection:
        values = {"id": name, "owner_id": LOCAL, "address": "ann@example.org", "created": 1.0}
        connection.execute(emails.insert().values(values))
    return name


# ---- processes -----------------------------------------------------------------------------


def test_handing_in_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from text2art.studio.config import StudioConfig\n"
        "from text2art.studio.service import Studio\n"
        f"studio = Studio.open(StudioConfig(data=pathlib.Path({str(tmp_path)!r})))\n"
        "studio.submit({'prompts': 'a {red|blue} apple', 'seed': 3}, 'local')\n"
        "studio.gallery(None)\n"
        "print('torch' in sys.modules)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_opening_again_keeps_everything(
    open_studio: Callable[..., Studio], url: str, tmp_path: Path
) -> None:
    job = open_studio(url, data=tmp_path / "d").submit(ASKED, LOCAL)[0]
    again = open_studio(url, data=tmp_path / "d")
    assert again.get(job.id, LOCAL).job == job
    with again.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(jobs)).scalar_one() == 1
