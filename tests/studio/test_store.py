"""Files: whole or not at all, and never outside the store."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art.errors import OutputError, SettingsError
from text2art.studio import store as store_
from text2art.studio.ids import is_id, new_id
from text2art.studio.model import NotFound
from text2art.studio.store import Store, check_key

KEY = "uploads/" + "a" * 64 + ".png"
BAD = [
    "", "/", ".", "..", "../x", "a/../b", "a//b", "/etc/passwd", "a/", "a\\b", "a/.hidden", "a\0b",
    "x" * 200, "a/b\n", "C:/x", "a/%2e%2e/b", "a/b/c/d/e/f/g/h/i", "~root/x", "a/b:c", "jobs/./x",
]  # fmt: skip


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Serve S3 from this process's memory; return its address."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install s3fs")
    moto = pytest.importorskip(
        "moto.server", reason="moto: pip install 'moto[s3]' flask flask-cors"
    )
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return another's sight of an empty bucket "pictures"."""
    s3fs: Any = pytest.importorskip("s3fs")
    for name, value in (
        ("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("DEFAULT_REGION", "us-east-1"),
        ("ENDPOINT_URL", s3),
    ):  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    files.mkdir("pictures")
    yield files
    files.rm("pictures", recursive=True)


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return a store in a folder, one that fsspec keeps in memory, and one in a bucket."""
    if request.param == "folder":
        yield Store(str(tmp_path / "files"))
        return
    if request.param == "s3":
        request.getfixturevalue("bucket")
        yield Store("s3://pictures/studio")
        return
    kept = Store(f"memory://{tmp_path.name}-{new_id()}")
    yield kept
    for file in list(kept.walk()):
        kept.delete(file.key)


def test_what_others_do_in_a_bucket_is_seen_at_once(bucket: Any) -> None:
    store, other = Store("s3://pictures/studio"), "pictures/studio/jobs/x.png"
    store.put("jobs/y.png", b"mine")
    assert [file.key for file in store.walk()] == ["jobs/y.png"]
    bucket.pipe_file(other, b"theirs")
    assert store.exists("jobs/x.png")
    assert [file.key for file in store.walk()] == ["jobs/x.png", "jobs/y.png"]
    bucket.pipe_file(other, b"theirs, longer")
    assert (store.size("jobs/x.png"), store.get("jobs/x.png")) == (14, b"theirs, longer")
    bucket.rm_file(other)
    assert not store.exists("jobs/x.png")
    with pytest.raises(NotFound, match="no file"):
        store.get("jobs/x.png")


def test_a_bucket_that_is_not_there_is_said_at_the_start(bucket: Any) -> None:
    with pytest.raises(OutputError, match=r"cannot be written: .*bucket"):
        Store("s3://elsewhere/studio").try_out()


@pytest.mark.parametrize("url", ["nonsense://a/b", "s3://pictures"])
def test_addresses_that_nothing_knows(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    if url == "s3://pictures":
        monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(SettingsError, match=r"files: .* cannot be used here"):
        Store(url)


def test_trying_out_leaves_nothing(store: Store) -> None:
    store.try_out()
    assert list(store.walk()) == []


def test_what_is_put_is_got(store: Store, tmp_path: Path) -> None:
    assert not store.exists(KEY)
    store.put(KEY, b"first")
    store.put(KEY, b"second")
    assert (store.get(KEY), store.size(KEY), store.exists(KEY)) == (b"second", 6, True)
    with store.open(KEY) as source:
        source.seek(3)
        assert source.read() == b"ond"
    source_file = tmp_path / "source"
    source_file.write_bytes(b"third")
    store.put_file("jobs/x.png", source_file)
    store.fetch("jobs/x.png", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"third"
    assert {(f.key, f.bytes) for f in store.walk()} == {(KEY, 6), ("jobs/x.png", 5)}
    assert [f.key for f in store.walk("jobs")] == ["jobs/x.png"]
    assert list(store.walk("nothing")) == []


def test_what_fails_leaves_nothing_and_what_was_there(store: Store) -> None:
    store.put(KEY, b"old")
    with pytest.raises(RuntimeError, match="on purpose"), store.writing(KEY) as sink:
        sink.write(b"half of it")
        raise RuntimeError("on purpose")
    assert store.get(KEY) == b"old"
    assert [file.key for file in store.walk()] == [KEY]


def test_what_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    for act in (store.get, store.size, store.open, lambda key: store.fetch(key, tmp_path / "x")):
        with pytest.raises(NotFound, match="no file"):
            act(KEY)
    store.delete(KEY)
    store.delete_tree("jobs")


def test_trees_are_deleted_whole(store: Store) -> None:
    job, other = new_id(), new_id()
    for key in (store_.frame_key(job, 1, 5), store_.result_key(job, 2, "png")):
        store.put(key, b"x")
    store.put(store_.result_key(other, 1, "png"), b"y")
    store.delete_tree(store_.job_prefix(job))
    assert [file.key for file in store.walk()] == [store_.result_key(other, 1, "png")]


def test_too_much_is_refused(store: Store) -> None:
    store.put(KEY, b"12345")
    assert store.get(KEY, limit=5) == b"12345"
    with pytest.raises(OutputError, match="more than 4 bytes"):
        store.get(KEY, limit=4)


@pytest.mark.parametrize("store", ["folder"], indirect=True)
@pytest.mark.parametrize("key", BAD)
def test_nothing_leads_out_of_the_store(store: Store, key: str) -> None:
    for act in (store.get, store.exists, store.size, store.delete, store.delete_tree, store.local):
        with pytest.raises(NotFound):
            act(key)
    with pytest.raises(NotFound):
        store.put(key, b"x")
    assert list(store.walk()) == []


@given(st.text(max_size=60))
def test_accepted_keys_are_plain(key: str) -> None:
    try:
        check_key(key)
    except NotFound:
        return
    parts = key.split("/")
    assert key.isascii()
    assert all(part.strip(".") == part and part for part in parts)
    assert os.path.normpath(key) == key
    assert not Path(key).is_absolute()


@pytest.mark.parametrize(
    "make",
    [
        lambda: store_.job_prefix("../x"),
        lambda: store_.attempt_prefix("x" * 26, 1),
        lambda: store_.attempt_prefix(new_id(), 0),
        lambda: store_.frame_key(new_id(), 1, 5, "../png"),
        lambda: store_.result_key(new_id(), 1, "png", "../result"),
        lambda: store_.upload_key("a" * 63),
        lambda: store_.upload_key("A" * 64),
    ],
)
def test_keys_are_made_of_checked_parts(make: object) -> None:
    with pytest.raises(NotFound):
        make()  # type: ignore[operator]


def test_uploads_are_named_after_their_bytes(store: Store) -> None:
    key = store.put_upload(b"abc")
    assert key == ("uploads/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.png")
    assert store.put_upload(b"abc") == key
    assert store.get(key) == b"abc"


def test_local_files_have_paths(tmp_path: Path) -> None:
    folder = Store(str(tmp_path / "files"))
    folder.put(KEY, b"x")
    path = folder.local(KEY)
    assert path is not None
    assert path.read_bytes() == b"x"
    assert Store("memory://somewhere").local(KEY) is None
    assert Store((tmp_path / "files").as_uri()).get(KEY) == b"x"


def test_what_a_dead_writer_left_is_cleared_away(tmp_path: Path) -> None:
    folder = Store(str(tmp_path / "files"))
    folder.put(KEY, b"x")
    path = folder.local(KEY)
    assert path is not None
    part = path.with_name(path.name + ".part-0123")
    part.write_bytes(b"half")
    assert [file.key for file in folder.walk()] == [KEY]
    assert folder.clear_unfinished(older_than=3600) == 0
    os.utime(part, (1, 1))
    assert folder.clear_unfinished(older_than=3600) == 1
    assert not part.exists()


def test_a_full_disk_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Store(str(tmp_path / "files"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        folder.put(KEY, b"x")
    monkeypatch.undo()
    assert list(folder.walk()) == []
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_ids_sort_by_age_and_are_not_guessable() -> None:
    made = [new_id(now=1_700_000_000 + step / 100) for step in range(200)]
    assert made == sorted(made)
    assert len({name[10:] for name in made}) == 200
    assert all(is_id(name) and len(name) == 26 for name in made)
    for text in ("", "x" * 26, made[0].upper(), made[0] + "\n", made[0][:-1], "8" + made[0][1:]):
        assert not is_id(text)


def test_reading_is_a_stream(store: Store) -> None:
    store.put(KEY, b"x" * 100_000)
    sink = io.BytesIO()
    with store.open(KEY) as source:
        while chunk := source.read(4096):
            sink.write(chunk)
    assert sink.tell() == 100_000
