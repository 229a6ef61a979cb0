"""The starter perceptor's network: building, folding, loading, and its errors."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from text2art.errors import WeightsCorrupt, WeightsMissing
from text2art.nets.starter import StarterCLIP, StarterConfig, load_starter
from text2art.weights import catalog
from training.captions import WordTokenizer, known_tokens
from training.export import fold, write

SHIPPED = Path(__file__).parent.parent / "weights" / "starter"
PLAN = "8s2 16 p 24 p 32"


def token_ids() -> torch.Tensor:
    return torch.from_numpy(known_tokens(WordTokenizer())[1:])


def small(*, folded: bool) -> StarterCLIP:
    ids = token_ids()
    config = StarterConfig(image_plan=PLAN, embed=32, text_width=32, tokens=len(ids) + 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StarterCLIP(config, ids, folded=folded)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = small(folded=True)
    write(tmp_path, model.config, token_ids(), model.state_dict())
    return tmp_path


def test_shapes_and_determinism(folder: Path) -> None:
    model = load_starter(folder)
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert model.encode_image(images).shape == (3, 32)
    tokens = model.tokenize(["a red apple", "two yellow stars on a purple background"])
    assert tokens.shape == (2, 32)
    out = model.encode_text(tokens)
    assert out.shape == (2, 32)
    assert torch.equal(out, model.encode_text(tokens))
    assert not any(p.requires_grad for p in model.parameters())
    assert not model.training


def test_cutting_the_context_changes_nothing(folder: Path) -> None:
    model = load_starter(folder)
    tokens = model.tokenize(["a cat", "a sailboat on the sea, watercolor"])
    cut = model.encode_text(tokens)
    rows = model.rows[tokens]
    whole = model.text(rows)  # the whole context, as open_clip reads it
    assert torch.allclose(cut, whole, atol=1e-5)
    assert torch.allclose(model.encode_text(tokens[:1]), cut[:1], atol=1e-5)


def test_unknown_words_share_one_row(folder: Path) -> None:
    model = load_starter(folder)
    a, b = model.encode_text(model.tokenize(["a quixotic cat", "a bureaucratic cat"])).unbind()
    rows = model.rows[model.tokenize(["quixotic"])]
    assert (rows == 1).any()
    assert a.shape == b.shape
    known = model.rows[model.tokenize(["a red apple on a blue background"])]
    assert not (known == 1).any()


def test_folding_batch_norm_is_exact() -> None:
    model = small(folded=False)
    gen = torch.Generator().manual_seed(0)
    for _ in range(5):  # give batch norm statistics that matter
        model.visual(torch.randn(16, 3, 64, 64, generator=gen) * 2 + 1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight.data, 0.5, 1.5, generator=gen)
            torch.nn.init.uniform_(module.bias.data, -0.5, 0.5, generator=gen)
    folded = StarterCLIP(model.config, token_ids())
    folded.load_state_dict(fold(model.state_dict()))
    images = torch.randn(4, 3, 64, 64, generator=gen)
    with torch.no_grad():
        assert torch.allclose(model.eval().visual(images), folded.visual(images), atol=1e-4)


@pytest.mark.parametrize("name", ["perceptor.json", "perceptor.safetensors"])
def test_missing_files(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsMissing, match=name):
        load_starter(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_corrupt_description(folder: Path, text: str) -> None:
    (folder / "perceptor.json").write_text(text)
    with pytest.raises(WeightsCorrupt, match=r"perceptor\.json"):
        load_starter(folder)


def test_truncated_tensors(folder: Path) -> None:
    path = folder / "perceptor.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsCorrupt, match="safetensors"):
        load_starter(folder)


def test_tensors_of_another_model(folder: Path) -> None:
    path = folder / "perceptor.safetensors"
    tensors = load_file(path)
    tensors.pop("visual.head.weight")
    save_file(tensors, path)
    with pytest.raises(WeightsCorrupt, match="do not fit"):
        load_starter(folder)


@pytest.mark.skipif(not (SHIPPED / "perceptor.json").is_file(), reason="no shipped weights yet")
def test_shipped_weights() -> None:
    model = load_starter(SHIPPED)
    assert model.image_size == 64
    assert {"apple", "sailboat", "sunset", "pixelart", "red", "two"} <= model.vocabulary
    assert "apple" in model.subjects
    assert model.synonyms["kitten"] == "cat"
    assert set(model.synonyms.values()) <= set(model.subjects)
    card = json.loads((SHIPPED / "perceptor.json").read_text())
    assert card["vocabulary"] == sorted(card["vocabulary"])
    assert sum(f.stat().st_size for f in SHIPPED.iterdir()) < 40e6
    texts = ["a red apple", "a blue apple", "a red car"]
    out = torch.nn.functional.normalize(model.encode_text(model.tokenize(texts)), dim=-1)
    assert (out @ out.T).fill_diagonal_(0).max() < 0.95


def test_the_shipped_files_are_the_registered_ones() -> None:
    """`weights/weights.toml` pins what ships, so that a new export cannot be half committed."""
    starter = catalog.entry("starter")
    folder = catalog.starter_folder()
    for file in starter.files:
        path = folder.parent / file.path
        assert catalog.sha256_of(path) == file.sha256
        assert path.stat().st_size == file.size
