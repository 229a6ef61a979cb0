"""The drawer `vqgan`: its codes, their gradients, starts, sizes and average; where it is found."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.test_vqgan_net import F8, F16, filled
from text2art import Session
from text2art.color import clamp_with_gradient
from text2art.core import Canvas
from text2art.drawers.noise import KINDS
from text2art.drawers.vqgan import Latents, Logits, VqganDrawer, vqgan_place
from text2art.errors import WeightsMissing
from text2art.loop import look
from text2art.models import Models
from text2art.nets.vqgan import Vqgan
from text2art.options.drawers import VqganOptions
from text2art.runtime import Runtime, pick, stream
from text2art.settings import Settings
from text2art.weights import catalog
from training.vqgan_export import write_vqgan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_vqgan(tmp_path, filled(F8), name="tiny", version="1")
    return tmp_path


def make(
    folder: Path | None = None, width: int = 48, height: int = 32, seed: int = 1, **options: object
) -> VqganDrawer:
    canvas = Canvas(width, height, pick("cpu").device, lambda purpose: stream(seed, purpose))
    given = {"model": str(folder) if folder else "", **options}
    return VqganDrawer(canvas, VqganOptions.model_validate(given))


# ---- codes ---------------------------------------------------------------------------------------


def test_the_gradient_of_straight_through_quantization() -> None:
    """It is that of the decoder at the chosen entries, as if they were the latents."""
    net = filled(F8)
    codes = Latents(net, 4, 5, stream(0, "codes"))
    with torch.no_grad():
        codes.values.add_(torch.randn(codes.values.shape, generator=stream(0, "off")) * 0.1)
    wish = torch.rand(1, 3, 32, 40, generator=stream(0, "wish"))
    torch.autograd.backward((net.decode(codes.entries(codes.values)) - wish).square().mean())

    distances = torch.stack([(codes.values[0] - e[:, None, None]).square().sum(0)
                             for e in net.codebook])  # fmt: skip
    entries = (
        net.codebook[distances.argmin(0)].permute(2, 0, 1)[None].detach().clone().requires_grad_()
    )
    torch.autograd.backward((net.decode(entries) - wish).square().mean())
    assert codes.values.grad is not None
    assert entries.grad is not None
    assert float(entries.grad.abs().max()) > 0
    assert torch.allclose(codes.values.grad, entries.grad, atol=1e-7, rtol=1e-4)


def test_latents_stay_within_the_codebooks_channels() -> None:
    net = filled(F8)
    codes = Latents(net, 3, 3, stream(0, "codes"))
    inside = codes.values.detach().clone()
    codes.project_()
    assert torch.equal(codes.values, inside)  # entries themselves are not moved
    with torch.no_grad():
        codes.values.fill_(1e3)
        codes.values[:, 0] = -1e3
    codes.project_()
    high, low = net.codebook.max(0).values, net.codebook.detach().min(0).values
    assert torch.equal(codes.values[0, 1:, 1, 1], high[1:])
    assert torch.equal(codes.values[0, 0, 1, 1], low[0])


def test_logits_draw_the_preferred_entry_with_the_gradient_of_the_mean() -> None:
    net = filled(F8)
    codes = Logits(net, 2, 3, stream(0, "codes"), temperature=0.7)
    with torch.no_grad():
        codes.values.copy_(torch.randn(codes.values.shape, generator=stream(0, "values")))
    wish = torch.randn(1, 8, 2, 3, generator=stream(0, "wish"))
    entries = codes.entries(codes.values)
    chosen = codes.values.argmax(1)[0]
    assert torch.allclose(entries[0], net.codebook[chosen].permute(2, 0, 1), atol=1e-5)
    torch.autograd.backward((entries * wish).sum())

    values = codes.values.detach().double().requires_grad_()
    soft = torch.exp(values / 0.7) / torch.exp(values / 0.7).sum(1, keepdim=True)
    mean = (soft[0, :, None] * net.codebook.double()[:, :, None, None]).sum(0)
    torch.autograd.backward((mean * wish[0]).sum())
    assert codes.values.grad is not None
    assert values.grad is not None
    assert torch.allclose(codes.values.grad.double(), values.grad, atol=1e-5)


def test_logits_get_new_noise_with_each_update_and_none_in_evaluation() -> None:
    codes = Logits(filled(F8), 2, 3, stream(0, "codes"), temperature=1.0)
    with torch.no_grad():
        codes.values.zero_()
    codes.project_()
    first = codes.entries(codes.values)
    assert torch.equal(first, codes.entries(codes.values))
    codes.project_()
    assert not torch.equal(first, codes.entries(codes.values))
    codes.eval()
    calm = codes.entries(codes.values)
    codes.project_()
    assert torch.equal(calm, codes.entries(codes.values))


def test_the_clamp_keeps_only_gradients_that_lead_back() -> None:
    x = torch.tensor([-0.5, -0.5, 0.0, 0.3, 0.3, 1.0, 1.5, 1.5], requires_grad=True)
    slope = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    y = clamp_with_gradient(x)
    assert torch.equal(y, x.detach().clamp(0, 1))
    torch.autograd.backward((y * slope).sum())
    # Descent moves against the slope: at -0.5 a positive one leads further out.
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 0.0]


# ---- the drawer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(48, 32), (53, 37), (8, 8), (5, 90)])
def test_any_size_is_the_middle_of_the_next_multiple(folder: Path, size: tuple[int, int]) -> None:
    drawer = make(folder, *size)
    width, height = size
    assert drawer().shape == (1, 3, height, width)
    rows, columns = -(-height // 8), -(-width // 8)
    assert drawer.latents().shape == (1, 8, rows, columns)
    net = filled(F8)  # the file holds it in half precision
    whole = net.decode(net.quantize(drawer.latents())[0]).clamp(-1, 1) / 2 + 0.5
    top, left = (rows * 8 - height) // 2, (columns * 8 - width) // 2
    middle = whole[..., top : top + height, left : left + width]
    assert torch.allclose(drawer(), middle, atol=0.05)


def test_fit_is_what_the_encoder_sees(folder: Path) -> None:
    drawer = make(folder, 53, 37)
    picture = torch.rand(1, 3, 37, 53, generator=stream(0, "picture"))
    drawer.fit_(picture)
    padded = torch.nn.functional.pad(picture, (1, 2, 1, 2), mode="replicate")
    expected = filled(F8).encode(padded * 2 - 1)
    low, high = filled(F8).codebook.min(0).values, filled(F8).codebook.max(0).values
    clamped = torch.maximum(torch.minimum(expected, high[:, None, None]), low[:, None, None])
    assert torch.allclose(drawer.latents(), clamped, atol=0.05)


@pytest.mark.parametrize("start", ["codes", *KINDS])
@pytest.mark.parametrize("codes", ["latents", "logits"])
def test_starts_differ_by_seed_alone(folder: Path, start: str, codes: str) -> None:
    one, same, other = (make(folder, seed=s, start=start, codes=codes)() for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_noise_fills_its_range() -> None:
    for name, kind in KINDS.items():
        for height, width in ((37, 53), (16, 128), (200, 200)):
            noise = kind(height, width, stream(3, "noise"))
            assert noise.shape == (1, 3, height, width)
            assert 0 <= float(noise.min()) < float(noise.max()) <= 1, name
    clouds = KINDS["perlin"](128, 128, stream(3, "noise"))
    assert float(clouds.min()) < 0.01
    assert float(clouds.max()) > 0.99
    steps = (clouds[..., 1:] - clouds[..., :-1]).abs().mean()
    assert float(steps) < 0.05  # neighbors are alike, as those of snow (0.33) are not


def reference_average(values: list[Tensor], decay: float) -> Tensor:
    weights = [decay ** (len(values) - 1 - i) for i in range(len(values))]
    return sum((w * v for w, v in zip(weights, values, strict=True)), torch.zeros(())) / sum(
        weights
    )


# ---- the sketch ----------------------------------------------------------------------------------


def pulled(drawer: VqganDrawer) -> set[str]:
    """Return the names of the groups that a picture's gradient reaches."""
    drawer.zero_grad(set_to_none=True)
    torch.autograd.backward(drawer().square().sum())
    return {
        group["name"]
        for group in drawer.groups()
        if any(p.grad is not None and bool(p.grad.any()) for p in group["params"])
    }


@pytest.mark.parametrize("codes", ["latents", "logits"])
def test_a_sketch_is_drawn_until_the_vqgan_takes_it_on(folder: Path, codes: str) -> None:
    drawer = make(folder, sketch=0.5, codes=codes)
    for progress in (0.0, 0.49):
        drawer.at_(progress)
        assert "codes" not in pulled(drawer)
        assert "layer 1" in pulled(drawer)
    sketch, taken = drawer().detach(), drawer.shown()
    assert not torch.allclose(sketch, taken, atol=1e-2)
    drawer.at_(0.5)
    assert pulled(drawer) == {"codes"}
    after = drawer().detach()
    assert torch.allclose(drawer.eval()(), taken, atol=1e-5)  # what was shown of the sketch
    again = make(folder, sketch=0, codes=codes)
    again.fit_(sketch)
    assert torch.equal(again.latents(), drawer.latents())
    drawer.at_(1.0)
    assert torch.equal(drawer.train()(), after)  # once


def test_the_latents_of_a_sketch_follow_it(folder: Path) -> None:
    drawer = make(folder, sketch=0.5)
    torch.autograd.backward(drawer.latents().square().sum())
    assert any(bool(p.grad.any()) for p in drawer.parameters() if p.grad is not None)


def test_a_state_knows_whether_it_is_a_sketch(folder: Path) -> None:
    begun, done, other = (make(folder, sketch=0.5, seed=seed) for seed in (1, 2, 3))
    begun_state = {name: value.clone() for name, value in begun.state_dict().items()}
    done.at_(0.9)
    for state, wanted in ((done.state_dict(), done), (begun_state, begun)):
        other.load_state_dict(state)
        assert pulled(other) == pulled(wanted)
        assert torch.equal(other(), wanted())


def test_who_sketches(folder: Path) -> None:
    assert "layer 1" in pulled(make())  # the starter, by default
    assert pulled(make(sketch=0)) == {"codes"}
    assert pulled(make(folder)) == {"codes"}
    assert pulled(make(start="snow")) == {"codes"}
    drawer = make()
    drawer.fit_(torch.rand(1, 3, 32, 48, generator=stream(0, "picture")))
    assert pulled(drawer) == {"codes"}  # an init image is no sketch


def test_a_run_that_stops_in_its_sketch_shows_what_the_vqgan_makes_of_it(models: Models) -> None:
    settings = Settings.of(prompts="a red apple", drawer="vqgan", seed=1, iterations=4, starts=1,
                           size="48x48", cuts=2, perceptor="toy")  # fmt: skip
    with Session(settings, models=models) as session:
        first = next(session.frames())
        result = session.snapshot()
    assert not torch.allclose(first.image, result.image, atol=1e-2)
    with Session(settings, models=models) as session:
        shown = [frame.image for frame in session.frames()]
    assert len(shown) == 5


def test_the_result_is_the_average_of_the_latents(folder: Path) -> None:
    drawer, plain = make(folder, average=0.8), make(folder)
    assert torch.equal(drawer.eval()(), drawer.train()())  # nothing averaged yet
    values = []
    for step in range(5):
        move = torch.randn(drawer.codes.values.shape, generator=stream(step, "move")) * 0.1
        for one in (drawer, plain):
            with torch.no_grad():
                one.codes.values.add_(move)
            one.project_()
        values.append(drawer.codes.values.detach().clone())
    assert torch.equal(drawer(), plain())  # while it draws, the average has no say
    drawer.eval()
    assert torch.allclose(drawer.latents(), reference_average(values, 0.8), atol=1e-5)
    assert not torch.equal(drawer.latents(), values[-1])
    assert torch.equal(plain.eval()(), plain.train()())
    drawer.fit_(torch.rand(1, 3, 32, 48, generator=stream(0, "picture")))
    assert torch.equal(drawer.latents(), drawer.codes.values)  # a new beginning


def test_the_network_is_no_part_of_state_and_parameters(folder: Path) -> None:
    drawer = make(folder)
    assert [name for name, _ in drawer.named_parameters()] == ["codes.values"]
    assert sorted(drawer.state_dict()) == ["_average", "_averaged", "codes.values"]


# ---- sessions ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(Runtime(pick("cpu").device))


def settings(**values: object) -> Settings:
    return Settings.of(
        prompts="a red apple", drawer="vqgan", size="48x32", iterations=3, cuts=2, starts=1,
        perceptor="toy", seed=1, **values,
    )  # fmt: skip


def test_one_network_serves_all_starts_and_sessions(models: Models, folder: Path) -> None:
    loaded: list[str] = []
    own = Models(models.runtime)
    real = own.network

    def counted(key: str, load: object, /) -> Vqgan:
        def counting() -> Vqgan:
            loaded.append(key)
            return load()  # type: ignore[operator, no-any-return]

        return real(key, counting)

    own.network = counted  # type: ignore[method-assign, assignment]
    given = settings(vqgan={"model": str(folder)}).changed(starts=3)
    for _ in range(2):
        session = Session(given, models=own)
        assert [frame.final for frame in session.frames()][-1]
    assert loaded == [f"vqgan:{folder}:"]  # once, for three starts and two sessions
    digest = catalog.sha256_of(folder / "vqgan.safetensors")
    assert session.record()["networks"] == [{"name": "tiny", "sha256": digest}]


def test_the_final_frame_shows_the_average(models: Models, folder: Path) -> None:
    # Of latents that move far, the average is near to other entries than the latents are.
    options = {"model": str(folder), "average": 0.9, "learning_rate": 1.0}
    session = Session(settings(vqgan=options), models=models)
    last = list(session.frames())[-1]
    session.drawer.train()
    now = session.drawer()
    assert not torch.allclose(last.image, now, atol=0.01)
    again = look(session.scene, 3, 3, final=True).image
    assert torch.equal(last.image, again)


# ---- where a VQGAN is found ----------------------------------------------------------------------


def test_places(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vqgan_place("") == vqgan_place("starter") == catalog.starter_folder()
    assert vqgan_place(str(folder)) == folder
    home = tmp_path / "home"
    monkeypatch.setenv("TEXT2ART_HOME", str(home))
    (home / "weights" / "vqgan").mkdir(parents=True)
    (home / "weights" / "vqgan" / "mine.ckpt").write_bytes(b"x")
    assert vqgan_place("mine.ckpt") == home / "weights" / "vqgan" / "mine.ckpt"
    with pytest.raises(WeightsMissing, match=r"no\.ckpt.*neither.*starter"):
        vqgan_place("no.ckpt")


def test_a_named_vqgan_is_verified_once_however_many_starts(
    models: Models, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints have a gigabyte: hashing one for every start would take longer than drawing."""
    home = tmp_path / "home"
    monkeypatch.setenv("TEXT2ART_HOME", str(home))
    (home / "weights").mkdir(parents=True)
    for name in ("vqgan.safetensors", "vqgan.json"):
        (folder / name).rename(home / "weights" / name)
    files = (catalog.WeightFile("vqgan.safetensors"), catalog.WeightFile("vqgan.json"))
    listed = catalog.Entry("mine", "A test's.", files)
    monkeypatch.setattr(catalog, "entries", lambda: (listed,))
    verified: list[str] = []
    real = catalog.verify

    def verify(wanted: catalog.Entry) -> list[Path]:
        verified.append(wanted.name)
        return real(wanted)

    monkeypatch.setattr(catalog, "verify", verify)
    own = Models(models.runtime)
    for _ in range(2):
        given = settings(vqgan={"model": "mine"}).changed(starts=3)
        assert list(Session(given, models=own).frames())[-1].final
    assert verified == ["mine"]


def test_f16_draws_in_cells_of_16(tmp_path: Path) -> None:
    write_vqgan(tmp_path, filled(dataclasses.replace(F16)), name="f16", version="1")
    drawer = make(tmp_path, 40, 24)
    assert drawer.latents().shape[2:] == (2, 3)
    assert drawer().shape == (1, 3, 24, 40)
