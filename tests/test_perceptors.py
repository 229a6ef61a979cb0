"""Perceptors: open_clip in every way its weights come, the starter, what they say about a text."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import build_model_from_openai_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from tests.tools import clip_files
from tests.tools.clip_files import TINY, TINY_RESNET, tiny_clip
from text2art.abilities import Composing
from text2art.errors import (
    MissingExtra,
    UnknownComponent,
    WeightsCorrupt,
    WeightsError,
    WeightsMissing,
)
from text2art.nets.starter import StarterCLIP, StarterConfig
from text2art.perceptors import open_clip as perceptor
from text2art.perceptors import reference, starter
from text2art.perceptors.reference import parse
from text2art.runtime import Runtime, pick, stream
from text2art.weights import catalog

CPU = pick("cpu")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder of its own, and tiny networks under two of open_clip's names."""
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path))
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder()])
    real = open_clip.get_model_config
    tiny = {"ViT-B-32": TINY, "ViT-B-32-quickgelu": {**TINY, "quick_gelu": True}}
    tiny["RN50"] = TINY_RESNET

    def config(name: str) -> Any:
        return {**tiny[name]} if name in tiny else real(name)

    monkeypatch.setattr(open_clip, "get_model_config", config)
    catalog.folder().mkdir()
    return tmp_path


def crops(n: int = 3, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, size, size, generator=stream(seed, "crops"))


def normalized(images: Tensor, mean: Any, std: Any) -> Tensor:
    return (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def assert_agrees(built: Any, net: Any, mean: Any = None, std: Any = None) -> None:
    """Compare a perceptor with open_clip's own network and normalization."""
    mean = mean or open_clip.OPENAI_DATASET_MEAN
    std = std or open_clip.OPENAI_DATASET_STD
    with torch.no_grad():
        seen = F.normalize(net.encode_image(normalized(crops(), mean, std)), dim=-1)
        tokens = open_clip.SimpleTokenizer(context_length=12)(["a red apple", "the sea"])
        read = F.normalize(net.encode_text(tokens), dim=-1)
    torch.testing.assert_close(built.see(crops()), seen, atol=2e-5, rtol=0)
    torch.testing.assert_close(built.read(["a red apple", "the sea"]), read, atol=2e-5, rtol=0)


def put(net: nn.Module, name: str) -> Path:
    path = catalog.folder() / name
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path)
    else:
        torch.save(net.state_dict(), path)
    return path


# ---- which network, which weights --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "model", "weights", "tag"),
    [
        ("ViT-B-32", "ViT-B-32", "", "openai"),
        ("ViT-B/32", "ViT-B-32", "", "openai"),
        ("vit-b-32", "ViT-B-32", "", "openai"),
        ("ViT-L/14@336px", "ViT-L-14-336", "", "openai"),
        ("ViT-B-32-quickgelu", "ViT-B-32-quickgelu", "", "openai"),
        ("ViT-B-32@laion2b_s34b_b79k", "ViT-B-32", "laion2b_s34b_b79k", "laion2b_s34b_b79k"),
        ("ViT-B-32@/a/b@c.pt", "ViT-B-32", "/a/b@c.pt", ""),
        ("ViT-B-32@random", "ViT-B-32", "random", ""),
        ("ViT-H-14", "ViT-H-14", "", ""),
    ],
)
def test_references(name: str, model: str, weights: str, tag: str) -> None:
    parsed = parse(name)
    assert (parsed.name, parsed.model, parsed.weights, parsed.tag) == (name, model, weights, tag)


def test_unknown_models_get_a_hint() -> None:
    with pytest.raises(UnknownComponent, match="Did you mean 'ViT-B-32'"):
        perceptor.build("ViT-B-23", CPU)


def test_missing_weights_say_how_to_get_them() -> None:
    with pytest.raises(WeightsMissing) as missing:
        perceptor.build("ViT-B/32", CPU)
    told = str(missing.value)
    for part in ("ViT-B-32.pt", "text2art weights fetch ViT-B-32", "354 MB", "MIT", "weights"):
        assert part in told
    with pytest.raises(WeightsMissing, match=r"huggingface\.co/laion"):
        perceptor.build("ViT-B-32@laion2b_s34b_b79k", CPU)
    with pytest.raises(WeightsMissing, match=r"github\.com/mlfoundations"):
        perceptor.build("ViT-B-32@laion2b_e16", CPU)
    with pytest.raises(WeightsMissing, match="ViT-H-14@TAG"):
        perceptor.build("ViT-H-14", CPU)
    with pytest.raises(WeightsMissing, match=r"no\.pt"):
        perceptor.build("ViT-B-32@no.pt", CPU)


def test_every_message_is_one_line() -> None:
    for name in ("ViT-B-23", "ViT-B-32", "ViT-B-32@no.pt", "ViT-B-16-SigLIP", "roberta-ViT-B-32"):
        with pytest.raises((UnknownComponent, WeightsError, MissingExtra)) as caught:
            perceptor.build(name, CPU)
        assert "\n" not in str(caught.value)


# ---- what is computed --------------------------------------------------------------------------


@pytest.mark.parametrize("config", [TINY, TINY_RESNET], ids=["ViT-B-32", "RN50"])
def test_openais_archive_equals_open_clips_own_reading(config: dict[str, Any]) -> None:
    """OpenAI's networks use QuickGELU; open_clip's builder of such archives is the reference."""
    model = "ViT-B-32" if config is TINY else "RN50"
    state = clip_files.openai_state(tiny_clip(config, quick_gelu=True))
    clip_files.write_openai_archive(catalog.folder() / f"{model}.pt", state)
    built = perceptor.build(model, CPU)
    reference_net = build_model_from_openai_state_dict(dict(state), cast_dtype=torch.float16)
    assert_agrees(built, reference_net.float())
    assert built.digest == catalog.sha256_of(catalog.folder() / f"{model}.pt")
    assert (built.name, built.size) == (model, 32)


def test_the_activation_follows_the_origin_of_the_weights(tmp_path: Path) -> None:
    plain, quick = tiny_clip(), tiny_clip(quick_gelu=True)
    assert not torch.allclose(plain.encode_image(crops()), quick.encode_image(crops()), atol=1e-3)  # type: ignore[operator]
    path = put(plain, "mine.safetensors")
    put(plain, "ViT-B-32@laion2b_s34b_b79k.safetensors")
    put(plain, "ViT-B-32@laion400m_e32.pt")
    assert_agrees(perceptor.build(f"ViT-B-32@{path}", CPU), plain)
    assert_agrees(perceptor.build("ViT-B-32@mine.safetensors", CPU), plain)
    assert_agrees(perceptor.build(f"ViT-B-32-quickgelu@{path}", CPU), quick)
    assert_agrees(perceptor.build("ViT-B-32@laion2b_s34b_b79k", CPU), plain)
    assert_agrees(perceptor.build("ViT-B-32@laion400m_e32", CPU), quick)
    archive = tmp_path / "renamed.pt"
    clip_files.write_openai_archive(archive, clip_files.openai_state(plain))
    assert_agrees(
        perceptor.build(f"ViT-B-32@{archive}", CPU),
        build_model_from_openai_state_dict(clip_files.openai_state(plain), cast_dtype=None).float(),
    )
    put(plain, "ViT-B-32.safetensors")
    assert_agrees(perceptor.build("ViT-B/32", CPU), quick)


def test_the_normalization_follows_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    net = tiny_clip()
    real = open_clip.get_model_config
    monkeypatch.setattr(
        open_clip, "get_model_config", lambda name: {**TINY} if name == "ViT-L-14" else real(name)
    )
    put(net, "ViT-L-14@laion2b_s32b_b82k.safetensors")
    half = (0.5, 0.5, 0.5)
    assert_agrees(perceptor.build("ViT-L-14@laion2b_s32b_b82k", CPU), net, half, half)
    assert reference.normalization(parse("ViT-B-16-SigLIP")) == (half, half)  # all its tags agree
    assert reference.normalization(parse("ViT-L-14@some.pt"))[0] == open_clip.OPENAI_DATASET_MEAN


def test_layouts_of_other_versions_are_read() -> None:
    net = tiny_clip()
    state = {f"module.{k}": v for k, v in net.state_dict().items()}
    state["module.logit_bias"] = torch.zeros(())
    torch.save({"epoch": 1, "state_dict": state}, catalog.folder() / "a.pt")
    assert_agrees(perceptor.build("ViT-B-32@a.pt", CPU), net)


def test_weights_of_another_model_are_refused() -> None:
    put(tiny_clip(TINY_RESNET), "resnet.pt")
    put(tiny_clip({**TINY, "embed_dim": 8}), "narrow.pt")
    torch.save({"visual.proj": torch.zeros(64, 16)}, catalog.folder() / "little.pt")
    for file in ("resnet.pt", "narrow.pt", "little.pt"):
        with pytest.raises(WeightsCorrupt, match=f"{file} does not hold the weights of ViT-B-32"):
            perceptor.build(f"ViT-B-32@{file}", CPU)


def test_random_weights_are_asked_for_by_name_and_always_the_same() -> None:
    before = torch.random.get_rng_state()
    a, b = perceptor.build("ViT-B-32@random", CPU), perceptor.build("ViT-B-32@random", CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(a.see(crops()), b.see(crops()))
    assert a.name == "ViT-B-32@random"
    assert a.digest == ""


def test_half_precision_stays_near() -> None:
    put(tiny_clip(), "a.pt")
    full = perceptor.build("ViT-B-32@a.pt", CPU)
    half = perceptor.build("ViT-B-32@a.pt", Runtime(CPU.device, torch.bfloat16))
    seen = half.see(crops())
    assert seen.dtype == torch.float32
    assert (seen * full.see(crops())).sum(dim=-1).min() > 0.99
    assert torch.equal(half.read(["a"]), full.read(["a"]))


def test_crops_of_another_size_are_a_bug_that_is_named() -> None:
    built = perceptor.build("ViT-B-32@random", CPU)
    with pytest.raises(ValueError, match=r"sees \(N, 3, 32, 32\)"):
        built.see(crops(size=31))


# ---- texts -------------------------------------------------------------------------------------


def test_what_is_cut_off_is_quoted_whole() -> None:
    built = perceptor.build("ViT-B-32@random", CPU)  # reads 12 tokens, 10 besides the marks
    assert built.notices("a red apple") == []
    assert built.notices(" ".join(["sea"] * 10)) == []
    (notice,) = built.notices(" ".join(["sea"] * 9) + " Antidisestablishmentarianism rules")
    assert "antidisestablishmentarianism rules" in notice
    assert "sea" not in notice


def test_over_long_texts_are_read_up_to_the_cut() -> None:
    built = perceptor.build("ViT-B-32@random", CPU)
    short = " ".join(["sea"] * 10)
    assert torch.equal(built.read([short]), built.read([short + " and a boat"]))


def test_foreign_tokenizers_must_be_local(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingExtra, match="tokenizers"):
        perceptor.build("ViT-B-16-SigLIP", CPU)
    folder = catalog.folder() / "tokenizers/timm/ViT-B-16-SigLIP"
    folder.mkdir(parents=True)
    asked: list[Any] = []

    def stand_in(source: str, **options: Any) -> Any:
        asked.append((source, options["context_length"]))
        raise ImportError("transformers")

    monkeypatch.setattr(perceptor, "HFTokenizer", stand_in)
    with pytest.raises(MissingExtra, match="pip install transformers"):
        perceptor.build("ViT-B-16-SigLIP", CPU)
    assert asked == [(str(folder), 64)]
    with pytest.raises(UnknownComponent, match="Hugging Face"):
        perceptor.build("roberta-ViT-B-32", CPU)


# ---- the starter -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net() -> StarterCLIP:
    words = ["a", "red", "apple", "apples", "on", "sailboat", "3"]
    tokenizer = open_clip.SimpleTokenizer()
    ids = sorted({i for word in words for i in tokenizer.encode(word)} | {49406, 49407})
    config = StarterConfig("8s2 p 16", image_size=16, embed=12, tokens=len(ids) + 2)
    made = StarterCLIP(config, torch.tensor(ids))
    draw = stream(0, "starter")
    for tensor in made.parameters():
        tensor.data.copy_(torch.randn(tensor.shape, generator=draw) * 0.3)
    made.vocabulary = frozenset(words)
    return made


def test_the_starter_normalizes_by_itself(net: StarterCLIP) -> None:
    built = starter.StarterPerceptor([net], CPU)
    images = crops(size=16)
    with torch.no_grad():
        expected = F.normalize(net.encode_image(normalized(images, net.mean, net.std)), dim=-1)
        words = F.normalize(net.encode_text(net.tokenize(["a red apple"])), dim=-1)
    assert torch.allclose(built.see(images), expected, atol=1e-6)
    assert torch.allclose(built.read(["a red apple"]), words, atol=1e-6)
    assert (built.name, built.size, built.digest) == ("starter", 16, "")
    with pytest.raises(ValueError, match=r"sees \(N, 3, 16, 16\)"):
        built.see(crops(size=32))


def other_net(net: StarterCLIP, image_size: int = 16) -> StarterCLIP:
    """Another small model with its own weights and one more word."""
    ids = sorted(int(i) for i in (net.rows > 1).nonzero())
    config = StarterConfig("8s2 p 8", image_size=image_size, embed=20, tokens=len(ids) + 2)
    made = StarterCLIP(config, torch.tensor(ids))
    draw = stream(1, "starter")
    for tensor in made.parameters():
        tensor.data.copy_(torch.randn(tensor.shape, generator=draw) * 0.3)
    made.vocabulary = net.vocabulary | {"zeppelin"}
    return made


def test_several_starters_see_as_one_whose_cosine_is_their_mean(net: StarterCLIP) -> None:
    nets = [net, other_net(net)]
    both, alone = starter.StarterPerceptor(nets, CPU), [
        starter.StarterPerceptor([n], CPU) for n in nets
    ]  # fmt: skip
    images, words = crops(size=16), ["a red apple", "a sailboat"]
    cosines = both.see(images) @ both.read(words).T
    apart = [one.see(images) @ one.read(words).T for one in alone]
    assert torch.allclose(cosines, torch.stack(apart).mean(0), atol=1e-6)
    assert torch.allclose(both.see(images).norm(dim=-1), torch.ones(len(images)), atol=1e-6)
    assert both.notices("a zeppelin") == alone[1].notices("a zeppelin")


def test_starters_of_different_sizes_are_refused(net: StarterCLIP) -> None:
    with pytest.raises(WeightsCorrupt, match=r"different sizes: \[16, 32\]"):
        starter.StarterPerceptor([net, other_net(net, 32)], CPU)


def test_the_starter_names_the_words_it_does_not_know(net: StarterCLIP) -> None:
    built = starter.StarterPerceptor([net], CPU)
    assert built.notices("A red apple on 3 Apples.") == []
    assert built.notices("the apple's sailboats on a zeppelin, 7 zeppelins") == [
        "starter does not know 'the', 'sailboats' (nearest: sailboat), 'zeppelin', '7', 'zeppelins'"
    ]
    long = " ".join(["red apple"] * 20)
    (cut,) = built.notices(long)
    assert "lost 'red apple red apple red apple red apple red apple'" in cut


def aiming(net: StarterCLIP) -> starter.StarterPerceptor:
    net.subjects, net.synonyms = (
        ("apple", "hot dog", "t-shirt"),
        {"Long-sleeve": "t-shirt", "-": "t-shirt"},
    )
    return starter.StarterPerceptor([net], CPU)


@pytest.mark.parametrize("strength", [0.0, 0.4, 2.0])
def test_a_single_subject_is_aimed_at_large_and_in_the_middle(
    net: StarterCLIP, strength: float
) -> None:
    built = aiming(net)
    expected = built.read(["a red apple"])[0]
    for thing in starter._THINGS:
        plain, large, central = built.read(
            [f"a {thing}", f"a big {thing}", f"a {thing} in the middle"]
        )
        step = (large - plain) + 0.75 * (central - plain)
        expected = expected + strength * step / 12
    aim = built.aim("a red apple", strength)
    assert torch.allclose(aim[0], expected / expected.norm(), atol=1e-5)
    assert torch.equal(built.aim("a red apple", 0.0), aim) == (strength == 0)


@pytest.mark.parametrize(
    ("text", "open_layout"),
    [
        ("an Apple.", True), ("the red apple's core", True), ("a hot  dog", True),
        ("a T-shirt", True), ("a long sleeve", True), ("red apples", False),
        ("a zeppelin", False), ("hot", False),
        ("two apple", False), ("a small apple", False), ("an apple at the top", False),
        ("an apple and a hot dog", False), ("pineapple", False), ("", False),
    ],
)  # fmt: skip
def test_texts_that_lay_a_picture_out_or_name_no_subject_stay_as_they_are(
    net: StarterCLIP, text: str, open_layout: bool
) -> None:
    built = aiming(net)
    assert torch.equal(built.aim(text, 1.0), built.read([text])) != open_layout


def test_the_starter_is_found_in_the_weights_folders() -> None:
    with pytest.raises(WeightsMissing, match="starter"):
        starter.build("", CPU)


def test_the_shipped_starter_knows_apples(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Path(catalog.__file__).parents[2] / "weights"
    monkeypatch.setattr(catalog, "search_path", lambda: [shipped])
    built = starter.build("", CPU)
    files = sorted((shipped / "starter").glob("perceptor*.safetensors"))
    digests = [catalog.sha256_of(path) for path in sorted(files, key=lambda path: path.stem)]
    several = hashlib.sha256("".join(digests).encode()).hexdigest()
    assert built.digest == (digests[0] if len(digests) == 1 else several)
    assert built.notices("a red apple on a blue background") == []
    assert isinstance(built, Composing)
    words = ["a yellow cat", "a big yellow cat", "a small yellow cat", "a yellow cat in the middle",
             "a yellow cat on the left"]  # fmt: skip
    plain, big, small, central, aside = built.read(words)
    aim = built.aim(words[0], 1.0)[0]
    assert aim @ (big - small) > plain @ (big - small)
    assert aim @ (central - aside) > plain @ (central - aside)
    names = ["cat", "dog", "fox", "apple", "house"]
    choices = built.read([f"a yellow {name}" for name in names])
    assert int((choices @ aim).argmax()) == 0, "it is a cat still"
    assert "zeppelin" in built.notices("a zeppelin")[0]
    size = built.size
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    disc = ((x**2 + y**2) < 0.4).float()
    red, blue = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.2, 0.9])
    picture = disc * red.view(3, 1, 1) + (1 - disc) * blue.view(3, 1, 1)
    texts = ["a red ball on a blue background", "a green tree on a yellow background"]
    scores = built.see(picture[None]) @ built.read(texts).T
    assert scores[0, 0] > scores[0, 1] + 0.1
