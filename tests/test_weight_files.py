"""Own weights: their configurations, conversion to safetensors, and adding them to the list."""

from __future__ import annotations

import functools
import hashlib
import json
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.cli_tools import Cli
from tests.tools import clip_files
from text2art.errors import OutputError, WeightsCorrupt, WeightsMissing
from text2art.nets.vqgan import Vqgan, VqganConfig, load_vqgan
from text2art.weights import catalog, configs, convert
from text2art.weights.safe import read_state_dict

TINY = {
    "ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "z_channels": 8, "embed_dim": 4,
    "n_embed": 16, "resolution": 32, "norm_groups": 4,
}  # fmt: skip
TAMING = """\
model:
  base_learning_rate: 4.5e-06
  target: taming.models.vqgan.VQModel
  params:
    embed_dim: 256
    n_embed: 1024
    ddconfig:
      double_z: False
      ch_mult: [1, 1, 2, 2, 4]
      attn_resolutions: [16]
      dropout: 0.0
    lossconfig: {target: taming.modules.losses.vqperceptual.DummyLoss}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder()])
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def put(path: Path, content: bytes | str = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ---- configurations ----------------------------------------------------------------------------


def test_yaml_and_json_give_the_same_plain_values(tmp_path: Path) -> None:
    read = configs.read_config(put(tmp_path / "a.yaml", TAMING))
    model = read["model"]
    assert model["base_learning_rate"] == 4.5e-6  # PyYAML alone takes this for text
    assert type(model["params"]["ddconfig"]["ch_mult"]) is list
    assert model["params"]["ddconfig"]["double_z"] is False
    assert configs.read_config(put(tmp_path / "a.json", json.dumps(read))) == read
    assert configs.read_config(put(tmp_path / "b.yaml", "\ufeff" + TAMING)) == read


def test_aliases_within_bounds_and_remarks_are_read(tmp_path: Path) -> None:
    text = "a: &one {b: 1}\nc: *one\n# ${nothing}\n1: 2\n"
    read = configs.read_config(put(tmp_path / "a.yaml", text))
    assert read == {"a": {"b": 1}, "c": {"b": 1}, "1": 2}


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: ${oc.env:HOME}", "interpolation"),
        ("a: 'x ${b} y'\nb: 1", "interpolation"),
        ("${a}: 1", "interpolation"),
        ("a: ${", "interpolation"),
        ("a: ???", "left open"),
        ("a: !!python/object/apply:os.system [touch owned]", "tags"),
        ("a: !!python/tuple [1]", "tags"),
        ("a: !mine 1", "tags"),
        (laughs(9), "aliases"),
        ("a: &a [*a]", "stands for nothing"),
        ("a: *b", "stands for nothing"),
        ("a: " + "[" * 500, "nested too deeply"),
        ("{a: " * 100 + "1" + "}" * 100, "nested too deeply"),
        ("a: '" + "x" * 1_000_000 + "'", "longer than 1 MB"),
        ("", "no names"),
        ("just text", "no names"),
        ("- 1", "no names"),
        ("a: 1\na: 2", "duplicate"),
        ("a: 1\n---\nb: 1", "single document"),
        ("a: [", "no model configuration"),
        ("a: \x00", "no model configuration"),
    ],
)
def test_what_is_no_plain_data_is_refused(
    tmp_path: Path, text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsCorrupt, match=rf"(?s)a\.yaml.*{reason}"):
        configs.read_config(put(tmp_path / "a.yaml", text))
    assert not Path("owned").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a": "${b}"}', '{"a": "???"}'])
def test_what_is_no_plain_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(WeightsCorrupt, match="no model configuration"):
        configs.read_config(put(tmp_path / "a.json", text))


def test_a_missing_configuration_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        configs.read_config(tmp_path / "no.yaml")
    with pytest.raises(WeightsMissing):
        configs.read_config(tmp_path)
    with pytest.raises(WeightsCorrupt):
        configs.read_config(put(tmp_path / "a.yaml", b"a: \xff\xfe"))


@pytest.mark.parametrize(
    "places",
    [
        [
            "run/ckpts/last.yaml",
            "run/ckpts/last.yml",
            "run/ckpts/last.json",
            "run/ckpts/model.yaml",
        ],
        ["run/ckpts/configs/model.yaml", "run/configs/model.yaml"],
        ["run/configs/2020-11-09T13-31-51-project.yaml"],
    ],
)
def test_the_configuration_of_a_checkpoint_is_found_by_its_place(
    tmp_path: Path, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = put(tmp_path / "run/ckpts/last.ckpt")
    assert configs.config_beside(checkpoint) is None
    for place in reversed(places):  # those that come first win
        path = put(tmp_path / place)
        assert configs.config_beside(checkpoint) == path
    monkeypatch.chdir(checkpoint.parent)
    found = configs.config_beside(Path("last.ckpt"))
    assert found is not None
    assert found.samefile(tmp_path / places[0])


def test_two_projects_are_none(tmp_path: Path) -> None:
    checkpoint = put(tmp_path / "run/ckpts/last.ckpt")
    put(tmp_path / "run/configs/a-project.yaml")
    put(tmp_path / "run/configs/b-project.yaml")
    assert configs.config_beside(checkpoint) is None
    assert configs.config_beside(put(tmp_path / "x/a.json")) is None  # not itself


def test_notes_in_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"config": '{"b": 1}', "who": "ä"})
    assert configs.metadata(path) == {"config": '{"b": 1}', "who": "ä"}
    assert configs.embedded(path) == {"b": 1}
    save_file({"a": torch.ones(2)}, path)
    assert configs.metadata(path) == {}
    assert configs.embedded(path) is None
    assert configs.embedded(put(tmp_path / "a.ckpt")) is None
    for config in ("[1]", "{", "[" * 100_000):
        save_file({"a": torch.ones(2)}, path, metadata={"config": config})
        with pytest.raises(WeightsCorrupt, match="configuration in"):
            configs.embedded(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"short", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 2) + b"[]",
     struct.pack("<Q", 2) + b"{x", struct.pack("<Q", 20) + b'{"__metadata__":"ab"}'],
)  # fmt: skip
def test_what_is_no_safetensors_has_no_notes(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "a.safetensors", content)
    with pytest.raises(WeightsCorrupt, match="not a safetensors file"):
        configs.embedded(path)
    with pytest.raises(WeightsMissing):
        configs.metadata(tmp_path / "no.safetensors")


def test_configurations_and_fetching_are_free_of_torch() -> None:
    modules = ", ".join(f"text2art.weights.{m}" for m in ("configs", "adding", "download", "pins"))
    code = f"import sys, {modules}; print('torch' in sys.modules, 'numpy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


# ---- converting --------------------------------------------------------------------------------


def network(**changes: Any) -> Vqgan:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Vqgan(VqganConfig(**{**TINY, **changes})).eval()


def vqgan_checkpoint(folder: Path, *, prefix: str = "", model: Vqgan | None = None) -> Path:
    """A checkpoint and its configuration as taming's training leaves them."""
    model = model or network()
    state = {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}
    state[f"{prefix}loss.discriminator.weight"] = torch.ones(100)
    if prefix:
        state["transformer.head.weight"] = torch.ones(100)
    path = folder / "last.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 1, "state_dict": state, "optimizer_states": [torch.ones(500)]}, path)
    config: dict[str, Any] = model.config.to_taming()
    if prefix:
        config = {"target": "taming.models.cond_transformer.Net2NetTransformer",
                  "params": {"first_stage_config": config}}  # fmt: skip
    put(path.with_suffix(".yaml"), yaml.safe_dump({"model": config, "data": {"secret": "path"}}))
    return path


@pytest.mark.parametrize("gumbel", [False, True])
@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_converted_vqgan_is_the_model_alone(
    cli: Cli, tmp_path: Path, prefix: str, *, gumbel: bool
) -> None:
    model = network(gumbel=gumbel, embed_dim=8)
    source = vqgan_checkpoint(tmp_path, prefix=prefix, model=model)
    answer = cli("weights", "convert", str(source))
    target = tmp_path / "last.safetensors"
    assert (answer.code, answer.out) == (0, f"{target}\n")
    read = load_file(target)
    assert read.keys() == model.state_dict().keys()
    assert all(torch.equal(read[name], v) for name, v in model.state_dict().items())
    notes = configs.metadata(target)
    assert notes["format"] == "pt"
    assert notes["source_name"] == "last.ckpt"
    assert notes["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert notes["converted_by"].startswith("text2art ")
    assert "secret" not in str(notes)
    source.with_suffix(".yaml").unlink()  # what was put in is enough
    pictures = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)
    assert torch.equal(load_vqgan(target).encode(pictures), model.encode(pictures))
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []
    assert target.stat().st_mode == source.stat().st_mode  # by the umask


def test_half_precision_halves_the_file_and_says_where_it_cannot(cli: Cli, tmp_path: Path) -> None:
    source = vqgan_checkpoint(tmp_path)
    assert cli("weights", "convert", str(source)).code == 0
    assert cli("weights", "convert", str(source), "--half", "--out", "half.safetensors").code == 0
    whole, half = load_file(tmp_path / "last.safetensors"), load_file("half.safetensors")
    for name, tensor in whole.items():
        assert torch.equal(half[name], tensor.half())
    save_file({"w": torch.tensor([1e6])}, tmp_path / "big.safetensors")
    answer = cli("weights", "convert", "big.safetensors", "--half", "--out", "b.safetensors")
    assert answer.code == 1
    assert "w holds numbers too large for half precision" in answer.err
    assert not Path("b.safetensors").exists()


def test_a_clip_archive_keeps_all_its_tensors(cli: Cli, tmp_path: Path) -> None:
    state = clip_files.openai_state(clip_files.tiny_clip())
    clip_files.write_openai_archive(tmp_path / "tiny.pt", state)
    put(tmp_path / "model.yaml", TAMING)  # of something else in the same folder
    answer = cli("weights", "convert", "tiny.pt")
    assert answer.code == 0
    assert "all its tensors are kept" in answer.err
    read = read_state_dict(tmp_path / "tiny.safetensors")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[k], v) and read[k].dtype == v.dtype for k, v in state.items())
    assert read["context_length"].shape == ()
    assert configs.embedded(tmp_path / "tiny.safetensors") is None


def test_shared_and_turned_tensors_are_written_each(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    held = {"a": base, "b": base.t(), "c": base[1:]}
    torch.save(held, tmp_path / "a.pt")
    read = load_file(convert.convert(tmp_path / "a.pt"))
    assert all(torch.equal(read[name], tensor) for name, tensor in held.items())


def test_nothing_is_overwritten_unless_forced(cli: Cli, tmp_path: Path) -> None:
    source = vqgan_checkpoint(tmp_path)
    target = put(tmp_path / "last.safetensors", b"mine")
    answer = cli("weights", "convert", str(source))
    assert answer.code == 1
    assert "there already" in answer.err
    assert target.read_bytes() == b"mine"
    assert cli("weights", "convert", str(source), "--force").code == 0
    assert len(load_file(target)) > 10
    assert cli("weights", "convert", str(target), "--force").code == 0  # in place


def test_a_converted_file_can_be_converted_again(cli: Cli, tmp_path: Path) -> None:
    source = vqgan_checkpoint(tmp_path / "a")
    assert cli("weights", "convert", str(source), "--out", "one.safetensors").code == 0
    assert (
        cli("weights", "convert", "one.safetensors", "--half", "--out", "two.safetensors").code == 0
    )
    assert configs.embedded(Path("two.safetensors")) == configs.embedded(Path("one.safetensors"))


def test_the_name_of_our_own_models_is_kept(cli: Cli, tmp_path: Path) -> None:
    source = vqgan_checkpoint(tmp_path)
    config = {**network().config.to_taming(), "name": "mine", "version": "3"}
    put(tmp_path / "card.json", json.dumps(config))
    assert cli("weights", "convert", str(source), "--config", "card.json").code == 0
    source.with_suffix(".yaml").unlink()
    model = load_vqgan(tmp_path / "last.safetensors")
    assert (model.name, model.version) == ("mine", "3")


def other_sizes(config: dict[str, Any]) -> dict[str, Any]:
    params = {**config["params"], "n_embed": 17}
    return {"model": {**config, "params": params}}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (other_sizes(network().config.to_taming()), "quantize.embedding.weight"),
        (
            {"model": {"params": {"ddconfig": {"double_z": False}}}},
            "incomplete VQGAN configuration",
        ),
        ({"model": {"params": {"ddconfig": 3}}}, "not of this configuration"),
        ({"model": 3}, "not of this configuration"),
        ({"perceptor": "something else"}, "incomplete VQGAN configuration"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    cli: Cli, tmp_path: Path, config: Mapping[str, Any], reason: str
) -> None:
    source = vqgan_checkpoint(tmp_path)
    put(tmp_path / "other.json", json.dumps(config))
    answer = cli("weights", "convert", str(source), "--config", "other.json")
    assert answer.code == 1
    assert reason in answer.err
    assert not (tmp_path / "last.safetensors").exists()


def test_what_lies_beside_but_is_of_something_else_is_left_alone(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "a.pt")
    put(tmp_path / "a.json", '{"embedding": 96}')
    assert convert.config_of(tmp_path / "a.pt") is None
    put(tmp_path / "a.json", "{")
    with pytest.raises(WeightsCorrupt, match=r"a\.json"):
        convert.config_of(tmp_path / "a.pt")


def test_hostile_missing_and_unwritable(cli: Cli, tmp_path: Path) -> None:
    marker = tmp_path / "owned"
    clip_files.write_zip_checkpoint(tmp_path / "evil.ckpt", clip_files.evil(marker)[3])
    answer = cli("weights", "convert", "evil.ckpt")
    assert answer.code == 1
    assert "which could run code" in answer.err
    assert not marker.exists()
    assert cli("weights", "convert", "no.ckpt").code == 1
    source = vqgan_checkpoint(tmp_path)
    with pytest.raises(OutputError, match=r"must end in \.safetensors"):
        convert.convert(source, tmp_path / "a.bin")
    with pytest.raises(OutputError, match="cannot be written"):
        convert.convert(source, put(tmp_path / "file") / "a.safetensors")


# ---- adding ------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A server of the folder `site`."""
    put(tmp_path / "site/ckpts/last.ckpt", b"tensors")
    put(tmp_path / "site/configs/model.yaml", TAMING)
    put(tmp_path / "site/mirror/last.ckpt", b"tensors")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_from_elsewhere_is_copied_and_known_by_its_names(cli: Cli, tmp_path: Path) -> None:
    source = put(tmp_path / "down loads/mine.ckpt", b"tensors")
    digest = hashlib.sha256(b"tensors").hexdigest()
    answer = cli(
        "weights", "add", "mine", str(source), "--license", "CC0", "--origin", "me",
        "--paper", "none", "--alias", "Mine/1", "--alias", "own", "--sha256", digest.upper(),
    )  # fmt: skip
    copied = catalog.folder() / "added/mine/mine.ckpt"
    assert (answer.code, answer.out) == (0, f"{copied}\n")
    assert copied.read_bytes() == source.read_bytes() == b"tensors"
    for name in ("mine", "MINE", "Mine/1", "own"):
        entry = catalog.entry(name)
        assert (entry.license, entry.origin, entry.paper) == ("CC0", "me", "none")
        assert (entry.files[0].sha256, entry.files[0].size) == (digest, 7)
    assert "mine" in cli("weights", "list").out
    assert cli("weights", "verify", "own").out == "mine: ok\n"
    assert cli("weights", "fetch", "own").out == f"{copied}\n"
    copied.write_bytes(b"tensorS")
    assert cli("weights", "verify", "mine").code == 1
    copied.unlink()
    answer = cli("weights", "fetch", "mine")
    assert answer.code == 1
    assert "no source" in answer.err


def test_a_file_of_the_weights_folder_stays_where_it_is(cli: Cli) -> None:
    path = put(catalog.folder() / "mine/a.ckpt")
    put(path.with_name("a.yaml"), TAMING)
    assert cli("weights", "add", "a", str(path), str(path.with_name("a.yaml"))).code == 0
    assert [file.path for file in catalog.entry("a").files] == ["mine/a.ckpt", "mine/a.yaml"]
    assert not (catalog.folder() / "added").exists()


def test_addresses_are_fetched_pinned_and_fetched_again(
    cli: Cli, tmp_path: Path, site: str
) -> None:
    answer = cli(
        "weights", "add", "mine", f"{site}/?p=%2Fckpts%2Flast.ckpt&dl=1", f"{site}/ckpts/last.ckpt",
        f"{site}/mirror/last.ckpt", f"{site}/configs/model.yaml",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    checkpoint, config = map(Path, answer.out.split("\n")[:2])
    assert configs.config_beside(checkpoint) == config
    (tensors, _) = catalog.entry("mine").files
    assert len(tensors.urls) == 3  # of which the first is a web page
    listed = {row["name"]: row for row in json.loads(cli("weights", "list", "--json").out)}
    assert listed["mine"]["sha256"] == "pinned"
    assert listed["mine"]["bytes"] == 7 + len(TAMING)
    assert cli("weights", "verify", "mine").out == "mine: ok (as first fetched)\n"
    checkpoint.unlink()
    assert cli("weights", "fetch", "mine").code == 0
    checkpoint.unlink()
    for path in ("ckpts", "mirror"):
        put(tmp_path / f"site/{path}/last.ckpt", b"changed")
    answer = cli("weights", "fetch", "mine")
    assert answer.code == 1
    assert "it has changed" in answer.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["starter", "a.ckpt"], "known already"),
        (["ViT-B/32", "a.ckpt"], "known already"),
        (["new", "a.ckpt", "--alias", "vit-b-32"], "known already"),
        (["../x", "a.ckpt"], "cannot be a name"),
        (["", "a.ckpt"], "cannot be a name"),
        (["x" * 99, "a.ckpt"], "cannot be a name"),
        (["new", "no.ckpt"], "no file"),
        (["new", "noending"], "does not end in a file name"),
        (["new", "http://127.0.0.1:9/"], "does not end in a file name"),
        (["new", "http://127.0.0.1:9/a.ckpt"], "cannot be fetched"),
        (["new", "a.ckpt", "a.ckpt"], "two of these files"),
        (["new", "a.ckpt", "--sha256", "0" * 64], "instead of 000"),
        (["new", "a.ckpt", "--sha256", "abc"], "64 hex digits"),
        (["new", "a.ckpt", "b.ckpt", "--sha256", "0" * 64], "one file"),
    ],
)
def test_what_cannot_be_added(cli: Cli, words: list[str], reason: str) -> None:
    put(Path("a.ckpt"))
    put(Path("b.ckpt"))
    answer = cli("weights", "add", *words)
    assert answer.code == 1
    assert reason in answer.err
    assert catalog.added() == ()
    assert not [path for path in catalog.folder().rglob("*") if path.is_file()]


def test_a_name_is_added_once_and_another_file_is_not_overwritten(cli: Cli) -> None:
    put(Path("a.ckpt"), b"one")
    assert cli("weights", "add", "mine", "a.ckpt").code == 0
    answer = cli("weights", "add", "Mine", "a.ckpt")
    assert answer.code == 1
    assert "added.json" in answer.err
    catalog.added_list().unlink()
    assert cli("weights", "add", "mine", "a.ckpt").code == 0  # the same file is there: no harm
    catalog.added_list().unlink()
    put(Path("a.ckpt"), b"two")
    answer = cli("weights", "add", "mine", "a.ckpt")
    assert answer.code == 1
    assert "another file is at" in answer.err


def test_offline_files_can_be_added_and_addresses_not(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    monkeypatch.setenv("TEXT2ART_OFFLINE", "1")
    assert "TEXT2ART_OFFLINE" in cli("weights", "add", "mine", f"{site}/ckpts/last.ckpt").err
    put(Path("a.ckpt"))
    assert cli("weights", "add", "mine", "a.ckpt").code == 0


@pytest.mark.parametrize(
    "text", ["", "{", '{"weights": 1}', '{"weights": [{"name": "x"}]}', "[" * 99_999]
)
def test_a_damaged_list_is_told(text: str) -> None:
    put(catalog.added_list(), text)
    with pytest.raises(WeightsCorrupt, match=r"added\.json is not a list of weights"):
        catalog.entries()


def test_fetch_says_that_it_pins(cli: Cli, site: str) -> None:
    row = {
        "name": "new",
        "summary": "",
        "files": [{"path": "n/a.ckpt", "urls": [f"{site}/ckpts/last.ckpt"]}],
    }
    put(catalog.added_list(), json.dumps({"weights": [row]}))
    assert cli("weights", "verify", "new").code == 1
    put(catalog.folder() / "n/a.ckpt", b"tensors")
    assert "its sha256 is not known" in cli("weights", "verify", "new").out
    (catalog.folder() / "n/a.ckpt").unlink()
    answer = cli("weights", "fetch", "new")
    assert answer.code == 0
    assert "license: unknown" in answer.err
    assert "its sha256 is not known. This first fetch pins it" in answer.err
    assert f"pinned to sha256 {hashlib.sha256(b'tensors').hexdigest()}, 7 bytes" in answer.err
    assert "pins it" not in cli("weights", "fetch", "new").err


def test_unwritable(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT2ART_HOME", str(put(tmp_path / "a file")))
    put(Path("a.ckpt"))
    assert "cannot be" in cli("weights", "add", "mine", "a.ckpt").err
