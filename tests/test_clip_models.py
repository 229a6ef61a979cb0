"""Which CLIP models there are: OpenAI's, LAION's, SigLIP, DFN, MobileCLIP, robust ones.

Structures are open_clip's own, built on torch's meta device; weights are small and random.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.tools import clip_files
from tests.tools.clip_files import TINY, TINY_RESNET, tiny_clip
from text2art.cli import doctor
from text2art.errors import WeightsMissing
from text2art.models import Models
from text2art.perceptors import open_clip as perceptor
from text2art.perceptors.reference import local_models, normalization, parse
from text2art.presets import PRESETS
from text2art.runtime import pick, stream
from text2art.weights import catalog

CPU = pick("cpu")
OPENAI = (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NONE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
# CustomTextCLIP, as SigLIP and MobileCLIP are, here with one of open_clip's own small towers.
TINY_CUSTOM: dict[str, Any] = {**TINY, "custom_text": True}
TINY_SIGLIP: dict[str, Any] = {
    **TINY_CUSTOM,
    "text_cfg": {**TINY["text_cfg"], "hf_tokenizer_name": "timm/ViT-B-16-SigLIP"},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path))
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder()])
    catalog.folder().mkdir()
    return catalog.folder()


def shrink(monkeypatch: pytest.MonkeyPatch, **models: dict[str, Any]) -> None:
    """Put tiny networks under names of open_clip (with _ for -)."""
    real = open_clip.get_model_config
    tiny = {name.replace("_", "-"): config for name, config in models.items()}
    monkeypatch.setattr(
        open_clip,
        "get_model_config",
        lambda name: copy.deepcopy(tiny[name]) if name in tiny else real(name),
    )


def crops(size: int = 32) -> Tensor:
    return torch.rand(3, 3, size, size, generator=stream(0, "crops"))


def saved(net: nn.Module, path: Path) -> Path:
    save_file({k: v.contiguous().clone() for k, v in net.state_dict().items()}, path)
    return path


def seen_by(net: Any, mean: Any, std: Any) -> Tensor:
    shape = (3, 1, 1)
    images = (crops() - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    with torch.no_grad():
        return F.normalize(net.encode_image(images), dim=-1)


# ---- names, sizes, normalizations --------------------------------------------------------------


@pytest.mark.parametrize(
    ("openai", "model", "size"),
    [
        ("RN50", "RN50", 224),
        ("RN101", "RN101", 224),
        ("RN50x4", "RN50x4", 288),
        ("RN50x16", "RN50x16", 384),
        ("RN50x64", "RN50x64", 448),
        ("ViT-B/32", "ViT-B-32", 224),
        ("ViT-B/16", "ViT-B-16", 224),
        ("ViT-L/14", "ViT-L-14", 224),
        ("ViT-L/14@336px", "ViT-L-14-336", 336),
    ],
)
def test_openais_models_go_by_both_their_names(openai: str, model: str, size: int) -> None:
    for name in (openai, model):
        wanted = parse(name)
        assert (wanted.model, wanted.tag) == (model, "openai")
        assert normalization(wanted) == OPENAI
        with pytest.raises(WeightsMissing) as missing:
            perceptor.build(name, CPU)
        entry = catalog.entry(model)
        assert entry.files[0].path in str(missing.value)
        assert f"'text2art weights fetch {model}' (" in str(missing.value)
        assert entry.license in str(missing.value)
    assert side_of(model) == size


@pytest.mark.parametrize(
    ("name", "size", "norms"),
    [
        ("ViT-B-32@laion2b_s34b_b79k", 224, OPENAI),
        ("ViT-L-14@laion2b_s32b_b82k", 224, HALF),
        ("ViT-H-14@laion2b_s32b_b79k", 224, OPENAI),
        ("convnext_base_w@laion2b_s13b_b82k", 256, OPENAI),
        ("ViT-B-16-SigLIP@webli", 224, HALF),
        ("ViT-SO400M-14-SigLIP-384@webli", 384, HALF),
        ("ViT-B-16-SigLIP2-512@webli", 512, HALF),
        ("ViT-B-16@dfn2b", 224, OPENAI),
        ("ViT-H-14-378@dfn5b", 378, OPENAI),
        ("MobileCLIP-S1@datacompdr", 256, NONE),
        ("MobileCLIP-B@datacompdr_lt", 224, NONE),
        ("MobileCLIP2-S0@dfndr2b", 256, NONE),
        ("MobileCLIP2-S4@dfndr2b", 256, OPENAI),
    ],
)
def test_other_families_have_their_own_size_and_normalization(
    name: str, size: int, norms: Any
) -> None:
    wanted = parse(name)
    assert f"{wanted.model}@{wanted.tag}" == name
    assert normalization(wanted) == norms
    assert side_of(wanted.model) == size


def side_of(model: str) -> int:
    with torch.device("meta"):
        net = perceptor.make_net(open_clip.get_model_config(model), model)
    return perceptor._side(net.visual)


class Filled(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the tensors that are filled with random numbers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func in (torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("config", [TINY, TINY_RESNET, TINY_CUSTOM])
def test_no_random_numbers_are_drawn_for_weights_that_a_file_brings(config: Any) -> None:
    with Filled() as drawn:
        perceptor.make_net(config, "any")
    assert drawn.count > 10
    with Filled() as blank:
        perceptor.blank_net(config)
    assert blank.count == 0


# ---- families ----------------------------------------------------------------------------------


def test_dfn_files_are_read_with_their_activation(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apple's DFN models were trained with QuickGELU, of which their files say nothing."""
    shrink(monkeypatch, ViT_B_16=TINY)
    quick = tiny_clip(quick_gelu=True)
    saved(quick, folder / "ViT-B-16@dfn2b.safetensors")
    built = perceptor.build("ViT-B-16@dfn2b", CPU)
    torch.testing.assert_close(built.see(crops()), seen_by(quick, *OPENAI), atol=2e-5, rtol=0)


def test_siglip_reads_with_the_tokenizer_of_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, ViT_B_16_SigLIP=TINY_SIGLIP)
    net = perceptor.make_net(TINY_CUSTOM, "siglip")
    saved(net, folder / "ViT-B-16-SigLIP@webli.safetensors")
    place = folder / "tokenizers/timm/ViT-B-16-SigLIP"
    place.mkdir(parents=True)
    asked: list[str] = []

    class Tokenizer:
        def __init__(self, source: str, **options: Any) -> None:
            asked.append(source)
            self.context = options["context_length"]

        def __call__(self, texts: list[str]) -> Tensor:
            ids = [[len(word) for word in text.split()] for text in texts]
            return torch.tensor([row + [0] * (self.context - len(row)) for row in ids])

    monkeypatch.setattr(perceptor, "HFTokenizer", Tokenizer)
    built = perceptor.build("ViT-B-16-SigLIP@webli", CPU)
    assert asked == [str(place)]
    torch.testing.assert_close(built.see(crops()), seen_by(net, *HALF), atol=2e-5, rtol=0)
    words = built.read(["a red apple", "the sea"])
    assert words.shape == (2, 16)
    with torch.no_grad():
        ids = torch.tensor([[1, 3, 5] + [0] * 9])
        expected: Tensor = net.encode_text(ids)  # type: ignore[operator]
    torch.testing.assert_close(words[:1], F.normalize(expected, dim=-1), atol=2e-5, rtol=0)


def test_mobileclip_sees_pictures_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, MobileCLIP_S1=TINY_CUSTOM)
    net = perceptor.make_net(TINY_CUSTOM, "mobile").eval()
    torch.save(net.state_dict(), folder / "MobileCLIP-S1@datacompdr.bin")
    built = perceptor.build("MobileCLIP-S1@datacompdr", CPU)
    torch.testing.assert_close(built.see(crops()), seen_by(net, *NONE), atol=2e-5, rtol=0)


@pytest.mark.slow
def test_a_whole_mobileclip_is_read_from_its_file(folder: Path) -> None:
    net = perceptor.make_net(open_clip.get_model_config("MobileCLIP2-S0"), "any")
    saved(net, folder / "MobileCLIP2-S0@dfndr2b.safetensors")
    built = perceptor.build("MobileCLIP2-S0@dfndr2b", CPU)
    assert built.size == 256
    assert built.see(crops(256)[:1]).shape == built.read(["a red apple"]).shape == (1, 512)


# ---- robust models (FARE, TeCoA) ---------------------------------------------------------------


def test_a_robust_image_tower_is_completed_with_openais_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As published in `fare_eps_2.pt`: the tower alone, without any "visual." before its names."""
    shrink(monkeypatch, ViT_L_14=TINY)
    openai = tiny_clip(quick_gelu=True)
    tuned: Any = tiny_clip(quick_gelu=True, seed=1)
    torch.save(tuned.visual.state_dict(), folder / "fare_eps_2.pt")
    with pytest.raises(WeightsMissing) as missing:
        perceptor.build("ViT-L-14@fare_eps_2.pt", CPU)
    for part in ("fare_eps_2.pt", "image tower", "text2art weights fetch ViT-L-14"):
        assert part in str(missing.value)
    clip_files.write_openai_archive(folder / "ViT-L-14.pt", clip_files.openai_state(openai))
    plain = perceptor.build("ViT-L-14", CPU)
    robust = perceptor.build("ViT-L-14@fare_eps_2.pt", CPU)
    torch.testing.assert_close(robust.see(crops()), seen_by(tuned, *OPENAI), atol=2e-5, rtol=0)
    assert torch.equal(robust.read(["a red apple"]), plain.read(["a red apple"]))
    assert not torch.allclose(robust.see(crops()), plain.see(crops()), atol=1e-2)
    assert robust.digest == catalog.sha256_of(folder / "fare_eps_2.pt")


def test_an_image_tower_has_openais_activation_whatever_format_the_words_come_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, ViT_L_14=TINY)
    tuned: Any = tiny_clip(quick_gelu=True, seed=1)
    torch.save(tuned.visual.state_dict(), folder / "fare.pt")
    saved(tiny_clip(), folder / "ViT-L-14.safetensors")  # no archive: it bears no marks
    robust = perceptor.build("ViT-L-14@fare.pt", CPU)
    torch.testing.assert_close(robust.see(crops()), seen_by(tuned, *OPENAI), atol=2e-5, rtol=0)


def test_a_whole_robust_model_is_a_file_like_any_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Hugging Face, `open_clip_pytorch_model.bin`; the name tells of its QuickGELU."""
    shrink(monkeypatch, ViT_L_14_quickgelu={**TINY, "quick_gelu": True})
    net = tiny_clip(quick_gelu=True)
    torch.save(net.state_dict(), folder / "open_clip_pytorch_model.bin")
    robust = perceptor.build("ViT-L-14-quickgelu@open_clip_pytorch_model.bin", CPU)
    torch.testing.assert_close(robust.see(crops()), seen_by(net, *OPENAI), atol=2e-5, rtol=0)


# ---- together ----------------------------------------------------------------------------------


def test_each_model_of_an_ensemble_has_a_weight(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, ViT_B_32=TINY, ViT_B_16=TINY)
    for seed, file in enumerate(("ViT-B-32.pt", "ViT-B-16.pt")):
        state = clip_files.openai_state(tiny_clip(quick_gelu=True, seed=seed))
        clip_files.write_openai_archive(folder / file, state)
    models = Models(CPU)
    ensemble = models.ensemble("ViT-B-32:1,ViT-B/16:0.5", PRESETS["normal"])
    assert [(p.name, weight) for p, weight in ensemble] == [("ViT-B-32", 1.0), ("ViT-B-16", 0.5)]
    again = models.ensemble("preset", PRESETS["normal"])
    assert [p for p, _ in again] == [p for p, _ in ensemble]  # loaded once, by whatever name
    assert again.choice == "those of the quality"


def test_the_models_on_this_machine(folder: Path) -> None:
    names = [
        "ViT-B-32@laion2b_s34b_b79k.safetensors",
        "ViT-B-16-SigLIP@webli.safetensors",  # reads with a tokenizer that may not be here
        "ViT-L-14@mine.pt",  # no tag of open_clip
        "RN50x64.pt",
        "ViT-L-14.pt",
    ]
    for name in names:
        (folder / name).touch()
    assert list(local_models()) == ["ViT-L-14", "RN50x64", "ViT-B-32@laion2b_s34b_b79k"]


def test_doctor_tells_clip_from_vqgan(folder: Path) -> None:
    none = {finding.name: finding.state for finding in doctor._weights()}
    assert none == {"CLIP weights": "missing", "VQGAN weights": "missing"}
    (folder / "vqgan").mkdir()
    for name in ("ViT-B-32@laion2b_s34b_b79k.pt", "RN50.pt", "vqgan/imagenet_f16_16384.ckpt",
                 "vqgan/imagenet_f16_16384.yaml"):  # fmt: skip
        (folder / name).touch()
    found = {finding.name: (finding.state, finding.detail) for finding in doctor._weights()}
    assert found == {
        "CLIP weights": ("ok", "RN50, ViT-B-32@laion2b_s34b_b79k"),
        "VQGAN weights": ("ok", "imagenet_f16_16384"),
    }


def test_resnets_have_towers_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, RN50=TINY_RESNET)
    tuned: Any = tiny_clip(TINY_RESNET, quick_gelu=True, seed=1)
    torch.save(tuned.visual.state_dict(), folder / "tower.pt")
    state = clip_files.openai_state(tiny_clip(TINY_RESNET, quick_gelu=True))
    clip_files.write_openai_archive(folder / "RN50.pt", state)
    robust = perceptor.build("RN50@tower.pt", CPU)
    torch.testing.assert_close(robust.see(crops()), seen_by(tuned, *OPENAI), atol=2e-5, rtol=0)
