"""Weights: the list, the folders, safe reading of every format, hostile files, fetching."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from open_clip.pretrained import get_pretrained_url, list_pretrained_models_by_tag
from safetensors.torch import save_file

from tests.tools import clip_files
from text2art import environment
from text2art.errors import UnknownComponent, WeightsCorrupt, WeightsError, WeightsMissing
from text2art.weights import catalog, fetch
from text2art.weights.catalog import Entry, WeightFile
from text2art.weights.safe import read_state_dict


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no weights of a checkout or installation."""
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TEXT2ART_OFFLINE", raising=False)
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder(), tmp_path / "second"])
    return tmp_path / "home"


def put(folder: Path, name: str, content: bytes = b"x") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# ---- the list ----------------------------------------------------------------------------------


def test_the_catalog_is_free_of_torch() -> None:
    code = "import sys, text2art.weights.catalog as c; c.entries(); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_openais_models_are_all_listed_with_their_own_checksums() -> None:
    """OpenAI's addresses carry the sha256 of the file; open_clip lists them independently."""
    models = list_pretrained_models_by_tag("openai")
    assert len({catalog.entry(model).name for model in models}) == 9
    for model in models:
        (file,) = catalog.entry(model).files
        (url,) = file.urls
        assert url == get_pretrained_url(model, "openai")
        assert url.split("/")[-2:] == [file.sha256, file.path]
        assert len(file.sha256) == 64


VQGANS = {
    "imagenet_f16_1024", "imagenet_f16_16384", "openimages_f8_8192", "coco", "faceshq",
    "wikiart_1024", "wikiart_16384", "sflckr",
}  # fmt: skip


def test_the_published_vqgans_are_listed_with_nothing_made_up() -> None:
    listed = {e.name: e for e in catalog.entries() if e.files[0].path.startswith("vqgan/")}
    assert listed.keys() == VQGANS
    for name, wanted in listed.items():
        assert [file.path for file in wanted.files] == [f"vqgan/{name}.ckpt", f"vqgan/{name}.yaml"]
        for file in wanted.files:
            assert file.urls[0].startswith("https://")
            assert (file.sha256, file.size) == ("", None)  # none are published
        assert wanted.license == ""
    assert catalog.entry("openimages_f16_8192").name == "openimages_f8_8192"  # pixray's name


def test_names_are_unique_and_openais_are_understood() -> None:
    names = [name.lower() for e in catalog.entries() for name in (e.name, *e.aliases)]
    assert len(names) == len(set(names))
    assert catalog.entry("ViT-L/14@336px").name == "ViT-L-14-336"
    with pytest.raises(UnknownComponent, match="Did you mean 'ViT-B-32'"):
        catalog.entry("ViT-B-31")


@pytest.mark.parametrize(
    "text",
    [
        "nonsense = [",
        "other = 1",
        '[[weights]]\nname = "a"',
        '[[weights]]\nname = "a"\nsummary = ""\nfiles = [{ path = "../a" }]',
        '[[weights]]\nname = "a"\nsummary = ""\nfiles = [{ path = "a", colour = 1 }]',
    ],
)
def test_a_broken_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "weights.toml"
    path.write_text(text)
    with pytest.raises(WeightsCorrupt, match="not a list of weights"):
        catalog.read(path)


# ---- the machine -------------------------------------------------------------------------------


def test_the_environment_says_where_and_whether(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path))
    assert environment.home() == tmp_path
    monkeypatch.setenv("TEXT2ART_HOME", "~/art")
    assert environment.home() == Path.home() / "art"
    monkeypatch.delenv("TEXT2ART_HOME")
    assert environment.home().name == "text2art"
    for value, expected in (("1", True), ("yes", True), ("0", False), ("", False), ("no", False)):
        monkeypatch.setenv("TEXT2ART_OFFLINE", value)
        assert environment.offline() is expected


# ---- the folders -------------------------------------------------------------------------------


def test_home_comes_first_then_the_others(tmp_path: Path) -> None:
    assert catalog.find("a.pt") is None
    second = put(tmp_path / "second", "a.pt")
    assert catalog.find("a.pt") == second
    first = put(catalog.folder(), "a.pt")
    assert catalog.find("a.pt") == first


@pytest.mark.parametrize("name", ["", "../a.pt", "/etc/passwd", "x/../../a.pt"])
def test_nothing_is_found_outside_the_folders(tmp_path: Path, name: str) -> None:
    put(tmp_path, "a.pt")
    put(tmp_path / "home", "a.pt")
    assert catalog.find(name) is None


@pytest.mark.parametrize(
    ("model", "file"),
    [
        ("ViT-B/32", "ViT-B-32.pt"),
        ("ViT-B-32", "ViT-B-32.pt"),
        ("vit-b-32", "ViT-B-32.pt"),
        ("ViT-B-32@openai", "ViT-B-32.pt"),
        ("ViT-B-32-quickgelu", "ViT-B-32.pt"),
        ("ViT-L/14@336px", "ViT-L-14-336px.pt"),
        ("ViT-L-14-336", "ViT-L-14-336px.pt"),
        ("ViT-B-32", "ViT-B-32.safetensors"),
        ("ViT-B-32@laion2b_s34b_b79k", "ViT-B-32@laion2b_s34b_b79k.safetensors"),
        ("ViT-B-32@laion2b_s34b_b79k", "ViT-B-32@laion2b_s34b_b79k.bin"),
    ],
)
def test_clip_weights_are_found_by_name(model: str, file: str) -> None:
    assert catalog.find_clip(model) is None
    path = put(catalog.folder(), file)
    assert catalog.find_clip(model) == path


def test_a_folder_is_no_weight_file() -> None:
    (catalog.folder() / "ViT-B-32.pt").mkdir(parents=True)
    assert catalog.find_clip("ViT-B-32") is None


def test_the_starter_is_missed_with_the_places_it_was_looked_for() -> None:
    with pytest.raises(WeightsMissing, match="home"):
        catalog.starter_folder()
    path = put(catalog.folder(), "starter/perceptor.safetensors")
    assert catalog.starter_folder() == path.parent


def entry(content: bytes, *urls: str, size: bool = True) -> Entry:
    digest = hashlib.sha256(content).hexdigest()
    file = WeightFile("deep/a.bin", urls, digest, len(content) if size else None)
    return Entry("thing", "A thing.", (file,))


def test_verify() -> None:
    wanted = entry(b"abc")
    with pytest.raises(WeightsMissing, match="text2art weights fetch thing"):
        catalog.verify(wanted)
    path = put(catalog.folder(), "deep/a.bin", b"abc")
    assert catalog.verify(wanted) == [path]
    path.write_bytes(b"abd")
    with pytest.raises(WeightsCorrupt, match="sha256"):
        catalog.verify(wanted)
    path.write_bytes(b"ab")
    with pytest.raises(WeightsCorrupt, match="2 bytes instead of 3"):
        catalog.verify(wanted)


# ---- safe reading ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return {
        "visual.conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
        "visual.proj": torch.randn(4, 6).half(),
        "transformer.resblocks.0.attn.bias": torch.ones(3),
        "logit_scale": torch.tensor(4.6),
        "context_length": torch.tensor(77),
    }


def write_safetensors(path: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, path)


def write_nested(path: Path, state: dict[str, torch.Tensor]) -> None:
    content = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}
    clip_files.write_zip_checkpoint(path, content)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.safetensors", write_safetensors),
        ("a.pt", clip_files.write_zip_checkpoint),
        ("a.ckpt", clip_files.write_legacy_checkpoint),
        ("a.bin", write_nested),
        ("a.pt", clip_files.write_openai_archive),
    ],
)
def test_every_format_gives_the_same_tensors(
    tmp_path: Path, state: dict[str, torch.Tensor], name: str, write: Callable[..., None]
) -> None:
    path = tmp_path / name
    write(path, state)
    read = read_state_dict(path)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[k], v) and read[k].dtype == v.dtype for k, v in state.items())
    assert not any(tensor.requires_grad for tensor in read.values())


def test_an_archive_gives_what_torch_itself_reads(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "a.pt"
    clip_files.write_openai_archive(path, state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        reference = torch.jit.load(str(path)).state_dict()  # type: ignore[no-untyped-call]
    read = read_state_dict(path)
    assert read.keys() == reference.keys()
    assert all(torch.equal(read[k], v) for k, v in reference.items())


def test_views_share_storage_and_keep_their_layout(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    base = torch.arange(12.0)
    held = {"a.x": base.reshape(3, 4).t().clone(), "a.y": base[2:5].clone()}
    clip_files.write_openai_archive(path, held)
    read = read_state_dict(path)
    assert all(torch.equal(read[k], v) for k, v in held.items())


def test_missing_empty_and_meaningless_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        read_state_dict(tmp_path / "no.pt")
    for name in ("a.pt", "a.safetensors", "a.bin"):
        for content in (b"", b"hello", b"PK\x05\x06" + b"\0" * 18, b"\x80\x02}."):
            with pytest.raises(WeightsCorrupt):
                read_state_dict(put(tmp_path, name, content))
    torch.save({"epoch": 3}, tmp_path / "b.pt")
    with pytest.raises(WeightsCorrupt, match="no named tensors"):
        read_state_dict(tmp_path / "b.pt")


@pytest.mark.parametrize(
    "write",
    [
        write_safetensors,
        clip_files.write_zip_checkpoint,
        clip_files.write_legacy_checkpoint,
        clip_files.write_openai_archive,
    ],
)
def test_truncated_files_are_refused(
    tmp_path: Path, state: dict[str, torch.Tensor], write: Callable[..., None]
) -> None:
    name = "a.safetensors" if write is write_safetensors else "a.pt"
    path = tmp_path / name
    write(path, state)
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 10):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsCorrupt):
            read_state_dict(path)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_archives_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.pt"
    clip_files.write_openai_archive(path, {"a.weight": torch.ones(4, 4), "b": torch.zeros(3)})
    with zipfile.ZipFile(path) as archive:
        record = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        pickled = bytearray(archive.read(record))
    for _ in range(data.draw(st.integers(1, 4))):
        pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    hurt = path.with_name("b.pt")
    clip_files.replace_record(path, hurt, "data.pkl", bytes(pickled))
    try:
        read = read_state_dict(hurt)
    except WeightsCorrupt:
        return
    assert all(tensor.numel() <= 16 for tensor in read.values())


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    "write",
    [
        clip_files.write_plain_pickle,
        clip_files.write_zip_checkpoint,
        clip_files.write_legacy_checkpoint,
        clip_files.write_evil_archive,
    ],
)
def test_hostile_files_are_refused_and_run_nothing(
    tmp_path: Path, write: Callable[..., None], number: int
) -> None:
    marker = tmp_path / "owned"
    path = tmp_path / "evil.pt"
    write(path, clip_files.evil(marker)[number])
    with pytest.raises(WeightsCorrupt):
        read_state_dict(path)
    assert not marker.exists()


def test_a_hostile_file_called_safetensors_is_not_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "owned"
    path = tmp_path / "evil.safetensors"
    clip_files.write_plain_pickle(path, clip_files.evil(marker)[0])
    with pytest.raises(WeightsCorrupt, match="safetensors"):
        read_state_dict(path)
    assert not marker.exists()


def test_compressed_records_and_oversized_tensors_are_refused(tmp_path: Path) -> None:
    path, bomb = tmp_path / "a.pt", tmp_path / "b.pt"
    clip_files.write_openai_archive(path, {"a.weight": torch.ones(4, 4)})
    with zipfile.ZipFile(path) as archive:
        record = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        pickled = archive.read(record)
    clip_files.replace_record(path, bomb, "data.pkl", pickled, zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsCorrupt, match="compressed"):
        read_state_dict(bomb)
    assert pickled.count(b"K\x04K\x04") == 1  # the size, 4 x 4
    clip_files.replace_record(path, bomb, "data.pkl", pickled.replace(b"K\x04K\x04", b"K\xffK\xff"))
    with pytest.raises(WeightsCorrupt, match="fit"):
        read_state_dict(bomb)


# ---- fetching ----------------------------------------------------------------------------------


class Mirror:
    """A server of one content, with faults to order."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges = True
        self.cut: int | None = None
        self.status = 200
        self.asked: list[str | None] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._httpd.server_address[1]}/a.bin"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if self.status != 200 or start >= len(self.content):
            handler.send_response(self.status if self.status != 200 else 416)
            handler.end_headers()
            return
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body)))
        if start:
            end, whole = len(self.content) - 1, len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{end}/{whole}")
        handler.end_headers()
        with suppress(OSError):  # the client may hang up
            handler.wfile.write(body[: self.cut])

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()


CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def mirrors() -> Iterator[Callable[[bytes], Mirror]]:
    made: list[Mirror] = []

    def make(content: bytes) -> Mirror:
        made.append(Mirror(content))
        return made[-1]

    yield make
    for mirror in made:
        mirror.close()


MakeMirror = Callable[[bytes], Mirror]


def part() -> Path:
    return catalog.folder() / "deep/a.bin.part"


def test_fetch_reports_progress_and_leaves_the_whole_file(mirrors: MakeMirror) -> None:
    mirror = mirrors(CONTENT)
    told: list[tuple[str, int, int | None]] = []
    (path,) = fetch.fetch(entry(CONTENT, mirror.url), lambda *row: told.append(row))
    assert path.read_bytes() == CONTENT
    assert path == catalog.folder() / "deep/a.bin"
    assert not part().exists()
    assert told[-1] == ("deep/a.bin", len(CONTENT), len(CONTENT))
    assert [row[1] for row in told] == sorted(row[1] for row in told)
    assert fetch.fetch(entry(CONTENT, mirror.url)) == [path]
    assert len(mirror.asked) == 1  # what is here and right is not fetched again


def test_a_wrong_file_is_never_left(mirrors: MakeMirror) -> None:
    wrong = mirrors(CONTENT[:-1] + b"?")
    with pytest.raises(WeightsCorrupt, match="sha256"):
        fetch.fetch(entry(CONTENT, wrong.url))
    assert list(catalog.folder().rglob("*.bin*")) == []


def test_the_next_mirror_is_tried(mirrors: MakeMirror) -> None:
    wrong, gone, good = mirrors(b"wrong"), mirrors(CONTENT), mirrors(CONTENT)
    gone.status = 404
    (path,) = fetch.fetch(entry(CONTENT, wrong.url, gone.url, good.url))
    assert path.read_bytes() == CONTENT


def test_a_file_that_breaks_off_is_gone_on_with(mirrors: MakeMirror) -> None:
    mirror = mirrors(CONTENT)
    mirror.cut = 300_000
    with pytest.raises(WeightsError, match="run it again to go on"):
        fetch.fetch(entry(CONTENT, mirror.url))
    kept = part().stat().st_size
    assert 0 < kept <= 300_000
    mirror.cut = None
    (path,) = fetch.fetch(entry(CONTENT, mirror.url))
    assert path.read_bytes() == CONTENT
    assert mirror.asked == [None, f"bytes={kept}-"]


@pytest.mark.parametrize("left", [b"garbage", CONTENT, CONTENT + b"more"])
@pytest.mark.parametrize("ranges", [True, False])
def test_whatever_was_left_behind(mirrors: MakeMirror, left: bytes, *, ranges: bool) -> None:
    mirror = mirrors(CONTENT)
    mirror.ranges = ranges
    put(catalog.folder(), "deep/a.bin.part", left)
    (path,) = fetch.fetch(entry(CONTENT, mirror.url))
    assert path.read_bytes() == CONTENT
    assert not part().exists()


def test_a_file_longer_than_recorded_is_left_early(mirrors: MakeMirror) -> None:
    mirror = mirrors(CONTENT * 20)
    told: list[int] = []
    with pytest.raises(WeightsCorrupt):
        fetch.fetch(entry(CONTENT, mirror.url), lambda _path, done, _total: told.append(done))
    assert max(told) <= len(CONTENT)


def test_unreachable_offline_and_unwritable(
    mirrors: MakeMirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch.fetch(entry(CONTENT, "http://127.0.0.1:9/a.bin"))
    with pytest.raises(WeightsError, match="no source"):
        fetch.fetch(entry(CONTENT))
    mirror = mirrors(CONTENT)
    monkeypatch.setenv("TEXT2ART_OFFLINE", "1")
    with pytest.raises(WeightsError, match="TEXT2ART_OFFLINE"):
        fetch.fetch(entry(CONTENT, mirror.url))
    monkeypatch.delenv("TEXT2ART_OFFLINE")
    monkeypatch.setenv("TEXT2ART_HOME", str(put(tmp_path, "a file")))
    with pytest.raises(WeightsError, match="cannot be written"):
        fetch.fetch(entry(CONTENT, mirror.url))
    assert mirror.asked == []


def test_no_room(mirrors: MakeMirror, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    mirror = mirrors(CONTENT)
    with pytest.raises(WeightsError, match="make room"):
        fetch.fetch(entry(CONTENT, mirror.url))
    assert mirror.asked == []


def test_what_ships_is_not_fetched() -> None:
    wanted = Entry("thing", "A thing.", (WeightFile("a.bin"),), ships=True)
    with pytest.raises(WeightsMissing, match="ships"):
        fetch.fetch(wanted)
