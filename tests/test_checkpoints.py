"""Checkpoints as trainers leave them, and hostile ones: tensors are read, nothing is run."""

from __future__ import annotations

import argparse
import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.tools import clip_files
from text2art.errors import WeightsCorrupt
from text2art.weights import archive, unpickle
from text2art.weights.safe import read_state_dict

WRITERS = [clip_files.write_zip_checkpoint, clip_files.write_legacy_checkpoint]
Write = Callable[[Path, object], None]


class AttributeDict(dict[str, Any]):
    """As Lightning's, which keeps hyperparameters."""


class ModelCheckpoint:
    """As Lightning's callback; its class is a key of the checkpoints of 2020 and 2021."""


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning's modules while a checkpoint is written; to read it they are gone again."""
    homes = {
        AttributeDict: "pytorch_lightning.utilities.parsing",
        ModelCheckpoint: "pytorch_lightning.callbacks.model_checkpoint",
    }
    for kind, home in homes.items():
        module = types.ModuleType(home)
        setattr(module, kind.__name__, kind)
        parts = home.split(".")
        for i in range(1, len(parts)):
            name = ".".join(parts[:i])
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        monkeypatch.setitem(sys.modules, home, module)
        monkeypatch.setattr(kind, "__module__", home)


def trained() -> tuple[nn.Module, dict[str, Any]]:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 4).half())
    optimizer = torch.optim.Adam(model[:2].parameters())
    model[1](model[0](torch.ones(2, 3, 5, 5))).sum().backward()
    optimizer.step()
    return model, optimizer.state_dict()


def checkpoint(state: Any, optimizer: Any) -> dict[str, Any]:
    """What taming's training with Lightning leaves."""
    return {
        "epoch": 7,
        "global_step": 31415,
        "pytorch-lightning_version": "1.0.8",
        "callbacks": {
            ModelCheckpoint: {
                "best_model_score": torch.tensor(0.5),
                "best_model_path": "last.ckpt",
                "kept": defaultdict(list, {"a": [1]}),
            }
        },
        "optimizer_states": [optimizer, optimizer],
        "lr_schedulers": [],
        "state_dict": state,
        "hparams_name": "kwargs",
        "hyper_parameters": AttributeDict(
            rate=4.5e-6, names={"a"}, arguments=argparse.Namespace(x=1)
        ),
    }


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.usefixtures("lightning")
def test_lightnings_checkpoints_give_their_tensors_and_nothing_is_imported(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = trained()
    path = tmp_path / "last.ckpt"
    write(path, checkpoint(model.state_dict(), optimizer))
    with pytest.raises(pickle.UnpicklingError):  # so this reader is needed
        torch.load(path, weights_only=True)
    for name in [name for name in sys.modules if name.startswith("pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    read = read_state_dict(path)
    assert list(read) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype
        assert not read[name].requires_grad
    assert not any(name.startswith("pytorch_lightning") for name in sys.modules)


@pytest.mark.usefixtures("lightning")
def test_states_of_optimizers_are_not_read_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = trained()
    path = tmp_path / "last.ckpt"
    torch.save(checkpoint(model.state_dict(), optimizer), path)
    asked: list[str] = []
    read = archive.Records.read

    def note(self: archive.Records, storage: unpickle.Storage) -> bytes:
        asked.append(storage.key)
        return read(self, storage)

    monkeypatch.setattr(archive.Records, "read", note)
    read_state_dict(path)
    assert len(asked) == len(model.state_dict())


@pytest.mark.parametrize("write", WRITERS)
def test_every_way_torch_writes_a_tensor(tmp_path: Path, write: Write) -> None:
    base = torch.arange(12.0)
    marked = nn.Parameter(torch.ones(2))
    marked.note = "kept by torch as well"  # type: ignore[attr-defined]
    noted = torch.ones(3)
    noted.note = "so"  # type: ignore[attr-defined]
    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8]
    state: dict[str, Tensor] = {
        "row": base[2:5],
        "column": base.reshape(3, 4)[:, 1],
        "turned": base.reshape(3, 4).t(),
        "parameter": nn.Parameter(torch.ones(2, 2)),
        "marked": marked,
        "noted": noted,
        "empty": torch.empty(0, 3),
        "flag": torch.tensor([True, False]),
        "scalar": torch.tensor(77),
        "new kind": torch.ones(4).to(torch.float8_e4m3fn),
        **{str(kind): torch.ones(3, dtype=kind) for kind in kinds},
    }
    path = tmp_path / "a.pt"
    write(path, OrderedDict(state))
    read = read_state_dict(path)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name].float(), tensor.detach().float())
    assert read["row"].untyped_storage().data_ptr() == read["turned"].untyped_storage().data_ptr()


def test_a_flipped_bit_among_the_numbers_is_found(tmp_path: Path) -> None:
    """torch's own reader does not compare checksums."""
    path = tmp_path / "a.pt"
    torch.save({"w": torch.ones(64)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(b"\0\0\x80\x3f" * 8)] ^= 1
    path.write_bytes(content)
    assert not torch.equal(torch.load(path, weights_only=True)["w"], torch.ones(64))
    with pytest.raises(WeightsCorrupt, match="CRC"):
        read_state_dict(path)


# ---- hostile files -----------------------------------------------------------------------------


class Op:
    """Pickle instructions by name."""

    @staticmethod
    def name(module: str, name: str) -> bytes:
        return f"c{module}\n{name}\n".encode()

    @staticmethod
    def text(word: str) -> bytes:
        data = word.encode()
        return b"X" + len(data).to_bytes(4, "little") + data

    @staticmethod
    def call(function: bytes, *arguments: bytes) -> bytes:
        return function + b"(" + b"".join(arguments) + b"tR"


LIGHTNING = Op.name("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")


def harm(marker: Path) -> bytes:
    return Op.text(f"touch {marker}")


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "a command": lambda m: Op.call(Op.name("os", "system"), harm(m)),
    "a command by its home": lambda m: Op.call(Op.name("posix", "system"), harm(m)),
    "a process": lambda m: Op.call(Op.name("subprocess", "getoutput"), harm(m)),
    "eval": lambda m: Op.call(Op.name("builtins", "eval"), Op.text(f"open('{m}', 'w')")),
    "exec in old words": lambda m: Op.call(Op.name("__builtin__", "exec"), Op.text(f"open('{m}')")),
    "getattr on a stand-in": lambda m: Op.call(
        Op.call(Op.name("builtins", "getattr"), LIGHTNING, Op.text("__class__")), harm(m)
    ),
    "a module run": lambda m: Op.call(Op.name("runpy", "run_path"), Op.text(str(m))),
    "torch.load": lambda m: Op.call(Op.name("torch", "load"), Op.text(str(m))),
    "a module's network": lambda _: Op.name("torch.nn.modules.linear", "Linear"),
    "a package's own import": lambda m: Op.call(
        Op.name("importlib", "import_module"), Op.text(str(m))
    ),
    "nested in what is known": lambda m: Op.call(
        Op.name("collections", "OrderedDict"), Op.call(Op.name("os", "system"), harm(m))
    ),
    "within a callback": lambda m: (
        b"}" + LIGHTNING + Op.call(Op.name("nt", "system"), harm(m)) + b"s"
    ),
    "a number of the extension registry": lambda _: b"\x82\x01",
    "a dotted way to a function": lambda m: (
        b"\x80\x04" + Op.text("os") + Op.text("path.os.system") + b"\x93" + harm(m) + b"\x85R"
    ),
    "an object's class of the old kind": lambda m: b"(" + harm(m) + b"ios\nsystem\n",
}  # fmt: skip


def pickled(instructions: bytes) -> bytes:
    """A state dict with these instructions beside it, so that only a refusal refuses it."""
    return b"\x80\x02}" + Op.text("x") + instructions + b"s" + b"."


def write_raw_zip(path: Path, pickle_: bytes) -> None:
    clean = path.with_suffix(".clean")
    torch.save({"w": torch.ones(2)}, clean)
    clip_files.replace_record(clean, path, "data.pkl", pickle_)


def write_raw_legacy(path: Path, pickle_: bytes) -> None:
    """The older format: magic number, version and machine come before the content."""
    clean = io.BytesIO()
    torch.save({"w": torch.ones(2)}, clean, _use_new_zipfile_serialization=False)
    end = 0
    for _ in range(3):
        end = unpickle.pickle_end(clean.getvalue(), end)
    path.write_bytes(clean.getvalue()[:end] + pickle_ + pickle.dumps([], 2))


def write_raw_script(path: Path, pickle_: bytes) -> None:
    clean = path.with_suffix(".clean")
    clip_files.write_openai_archive(clean, {"a.weight": torch.zeros(2, 2)})
    clip_files.replace_record(clean, path, "data.pkl", pickle_)


def write_raw_pickle(path: Path, pickle_: bytes) -> None:
    path.write_bytes(pickle_)


RAW = [write_raw_zip, write_raw_legacy, write_raw_script, write_raw_pickle]
RawWrite = Callable[[Path, bytes], None]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("write", RAW)
def test_hostile_pickles_are_refused_and_run_nothing(
    tmp_path: Path, write: RawWrite, name: str
) -> None:
    marker, path = tmp_path / "owned", tmp_path / "evil.ckpt"
    write(path, pickled(HOSTILE[name](marker)))
    with pytest.raises(WeightsCorrupt) as caught:
        read_state_dict(path)
    assert not marker.exists()
    if write is not write_raw_pickle:  # which is no file of torch.save to begin with
        assert "refused" in str(caught.value)


def test_a_refusal_names_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    write_raw_zip(path, pickled(HOSTILE["a command"](tmp_path)))
    with pytest.raises(WeightsCorrupt, match=r"evil.ckpt.*os\.system.*save its tensors"):
        read_state_dict(path)


def tensor_of(size: bytes = b"K\x02", stride: bytes = b"K\x01", count: bytes = b"K\x02") -> bytes:
    """A tensor over the storage "0" of the clean file."""
    kind = Op.name("torch", "FloatStorage")
    storage = b"(" + Op.text("storage") + kind + Op.text("0") + Op.text("cpu") + count + b"tQ"
    return Op.call(
        Op.name("torch._utils", "_rebuild_tensor_v2"),
        storage, b"K\x00", size + b"\x85", stride + b"\x85", b"\x89", b"N",
    )  # fmt: skip


def test_the_tensor_of_these_tests_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    write_raw_zip(path, pickled(tensor_of()))
    assert torch.equal(read_state_dict(path)["x"], torch.ones(2))


TRICKS = {
    "state for an object": LIGHTNING + b")R}" + Op.text("__class__") + LIGHTNING + b"sb",
    "state for a class": LIGHTNING + b"}" + Op.text("__setstate__") + LIGHTNING + b"sb",
    "slots for a class": LIGHTNING + b"N}" + Op.text("__new__") + LIGHTNING + b"s\x86b",
    "a metaclass's call": Op.call(Op.call(LIGHTNING, b"K\x01"), b"K\x02"),
    "appending": LIGHTNING + b")R(K\x01K\x02e",
    "setting items": LIGHTNING + b")R(K\x01K\x02u",
    "adding": b"\x80\x04" + LIGHTNING + b")R(K\x01K\x02\x90",
    "an old-style object": b"(K\x01ipytorch_lightning\nTrainer\n",
    "an object by its class": LIGHTNING + b")\x81",
    "an object with names": b"\x80\x04" + LIGHTNING + b")}\x92",
    "a function of a rebuild": Op.name("torch._utils", "_rebuild_tensor_v2")
    + b"N}" + Op.text("__code__") + b"K\x01s\x86b",
    "a storage changed": tensor_of() + b"}" + Op.text("size") + b"K\x63sb",
    "slots of a tensor": tensor_of() + b"N}" + Op.text("size") + b"K\x63s\x86b",
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_with_stand_ins_do_nothing_or_are_refused(tmp_path: Path, name: str) -> None:
    """Whatever a file does to what stands for its objects, the tensor beside it is untouched."""
    path = tmp_path / "a.pt"
    tricks = b"\x80\x02}" + Op.text("y") + TRICKS[name] + b"s" + Op.text("x") + tensor_of() + b"s."
    write_raw_zip(path, tricks)
    try:
        read = read_state_dict(path)
    except WeightsCorrupt:
        assert name in UNFIT
    else:
        assert name not in UNFIT
        assert torch.equal(read["x"], torch.ones(2))
        assert read.keys() <= {"x", "y"}
    write_raw_zip(path, pickled(tensor_of()))  # and nothing of it stays
    assert torch.equal(read_state_dict(path)["x"], torch.ones(2))


UNFIT = {
    "a metaclass's call", "a function of a rebuild", "a storage changed", "slots of a tensor",
}  # fmt: skip


BOMBS = {
    "a memo of billions": b"N" + b"r\xff\xff\xff\xff" + b"0" + tensor_of(),
    "a memo of billions, in digits": b"Np4000000000\n0" + tensor_of(),
    "bytes that are not there": b"\x96" + (2**33).to_bytes(8, "little") + b"0" + tensor_of(),
    "text that is not there": b"\x8d" + (2**33).to_bytes(8, "little") + b"0" + tensor_of(),
    "a tensor larger than its storage": tensor_of(size=b"J\xff\xff\xff\x7f"),
    "a tensor of one number, repeated": tensor_of(size=b"J\xff\xff\xff\x7f", stride=b"K\x00"),
    "a negative size": tensor_of(size=b"J\xff\xff\xff\xff"),
    "a size that is none": tensor_of(size=Op.text("2")),
    "a stride out of the storage": tensor_of(stride=b"M\xff\xff"),
    "a storage larger than its record": tensor_of(count=b"J\xff\xff\xff\x7f"),
    "a storage of negative length": tensor_of(count=b"J\xff\xff\xff\xff"),
    "a storage of no number": tensor_of(count=LIGHTNING),
    "a tensor without a storage": Op.call(
        Op.name("torch._utils", "_rebuild_tensor_v2"), b"N", b"K\x00", b"K\x02\x85", b"K\x01\x85"
    ),
    "more instructions than any honest file": b"N0" * 600_000 + tensor_of(),
    "tables of tables": b"("
    + b"".join(b"M%bK\x01\x86" % i.to_bytes(2, "little") for i in range(60_000))
    + b"l" + b"q\x01(" + Op.call(Op.name("collections", "OrderedDict"), b"h\x01") * 20 + b"t",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.pt"
    write_raw_zip(path, pickled(BOMBS[name]))
    with pytest.raises(WeightsCorrupt, match=REASONS.get(name)):
        read_state_dict(path)


REASONS = {
    "a memo of billions": "memory without bound",
    "a memo of billions, in digits": "memory without bound",
    "a tensor of one number, repeated": "does not fit its storage",
    "a storage larger than its record": "instead of 2147483647",
    "more instructions than any honest file": "too long",
    "tables of tables": "too many tables",
}


def test_views_that_add_up_to_far_more_than_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    base = torch.ones(100_000)
    torch.save({str(i): base[:] for i in range(40)}, path)
    with pytest.raises(WeightsCorrupt, match="larger than the file"):
        read_state_dict(path)
    torch.save({str(i): base[:] for i in range(8)}, path)
    assert len(read_state_dict(path)) == 8


@pytest.mark.parametrize("ending", ["data.pkl", "data/0"])
def test_compressed_and_overlapping_records_are_refused(tmp_path: Path, ending: str) -> None:
    path, bomb = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save({"w": torch.zeros(1000)}, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bomb, "w") as new:
        for info in old.infolist():
            pack = info.filename.endswith(ending)
            new.writestr(info.filename, old.read(info), zipfile.ZIP_DEFLATED if pack else 0)
    with pytest.raises(WeightsCorrupt, match="compressed"):
        read_state_dict(bomb)


def test_other_archives_say_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("readme.txt", "hello")
    with pytest.raises(WeightsCorrupt, match="none that torch has written"):
        read_state_dict(path)
    torch.save({"w": torch.zeros(3)}, path)
    clip_files.replace_record(path, tmp_path / "b.pt", "byteorder", b"big")
    with pytest.raises(WeightsCorrupt, match="big-endian"):
        read_state_dict(tmp_path / "b.pt")


@pytest.fixture(scope="module", params=[True, False], ids=["zip", "legacy"])
def sample(request: pytest.FixtureRequest) -> bytes:
    """A checkpoint with objects of a trainer in it."""
    held = io.BytesIO()
    content = {
        "note": argparse.Namespace(rate=0.1),
        "state_dict": OrderedDict(a=torch.ones(4, 4), b=torch.zeros(3).half()),
    }
    torch.save(content, held, _use_new_zipfile_serialization=request.param)
    return held.getvalue()


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.ckpt"
    hurt = bytearray(sample)
    if data.draw(st.booleans()):
        del hurt[data.draw(st.integers(0, len(hurt))) :]
    for _ in range(data.draw(st.integers(1, 5))):
        if hurt:
            hurt[data.draw(st.integers(0, len(hurt) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(hurt)
    try:
        read = read_state_dict(path)
    except WeightsCorrupt:
        return
    assert 1 <= len(read) <= 2
    assert all(tensor.numel() <= 16 for tensor in read.values())
