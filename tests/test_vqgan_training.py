"""The VQGAN's training: losses, the codebook, a short run, and what is written."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from text2art.nets.starter import ConvTower
from text2art.nets.vqgan import Vqgan, VqganConfig, load_vqgan
from training.export import sha256
from training.vqgan import STARTER, VqganRecipe, VqganTrainer, learning_rate
from training.vqgan_export import rebuilt, unit_latents, vqgan_figures, write_sheet, write_vqgan
from training.vqgan_losses import (
    CodebookAverage,
    Critic,
    FeatureDistance,
    balanced,
    contrasts,
    hinge,
    perplexity,
    psnr,
)

CPU = torch.device("cpu")
TINY = VqganConfig(
    ch=32,
    ch_mult=(1, 1),
    num_res_blocks=1,
    z_channels=16,
    embed_dim=8,
    n_embed=32,
    resolution=16,
    norm_groups=4,
)
RECIPE = VqganRecipe(
    model=TINY,
    batch=4,
    budget=1.0,
    mixed=False,
    critic_width=8,
    critic_from=(0.3, 0.5),
    ema_every=1,
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(seed: int, side: int = 16) -> Callable[[int], Tensor]:
    """Return a source of discs on gradients, (n, 3, side, side) in [0, 1]."""
    gen = seeded(seed)

    def take(n: int) -> Tensor:
        axis = torch.linspace(0, 1, side)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        first, last, color = torch.rand(3, n, 3, 1, 1, generator=gen)
        at = torch.rand(2, n, 1, 1, 1, generator=gen)
        inside = ((x - at[0]).square() + (y - at[1]).square() < 0.08).float()
        made: Tensor = (first + (last - first) * x) * (1 - inside) + color * inside
        return made

    return take


def tower() -> ConvTower:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ConvTower("8s2 8 p 16", 16, 8)


def test_starter_sizes() -> None:
    model = Vqgan(STARTER)
    assert model.config.factor == 8
    assert 4e6 < sum(p.numel() for p in model.parameters()) < 7e6


@pytest.mark.parametrize("features", [None, tower()])
def test_distance(features: ConvTower | None) -> None:
    distance = FeatureDistance(features)
    x = pictures(0)(3) * 2 - 1
    assert float(distance(x, x)) == pytest.approx(0, abs=1e-6)
    near, far = x + 0.02 * torch.randn(x.shape, generator=seeded(1)), pictures(1)(3) * 2 - 1
    assert 0 < float(distance(near, x)) < float(distance(far, x))
    leaf = near.requires_grad_()
    torch.autograd.backward(distance(leaf, x))
    assert leaf.grad is not None
    assert bool(leaf.grad.any())
    assert not any(p.requires_grad for p in distance.parameters())


def test_contrasts_ignore_an_even_shift() -> None:
    x = pictures(0)(2)
    assert float(contrasts(x + 0.3, x)) == pytest.approx(0, abs=1e-6)
    assert float(contrasts(x.flip(3), x)) > 1e-3


def test_critic_learns_to_tell() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = Critic(8)
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
    take = pictures(2, 32)
    losses = []
    for _ in range(20):
        real = take(4) * 2 - 1
        noise = torch.randn(real.shape, generator=seeded(3))
        loss = hinge(critic(real), critic(noise))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_balanced_gradients() -> None:
    main, other = torch.randn(2, 2, 3, 4, 4, generator=seeded(0))
    added = balanced(main, 1e-3 * other, 0.5) - main
    assert float(added.norm() / main.norm()) == pytest.approx(0.5, rel=1e-4)
    assert torch.equal(balanced(main, other * 0, 0.5), main)


def test_codebook_follows_its_latents() -> None:
    gen = seeded(0)
    book = torch.zeros(32, 4)
    book[0] = 5.0  # all but this one are the same: hardly any is in use
    average = CodebookAverage(book, gen, decay=0.8)
    z = torch.randn(1, 4, 32, 32, generator=gen)
    errors = []
    for _ in range(60):
        counts = average.update(z)
        rows = z[0].flatten(1).T
        errors.append(float(torch.cdist(rows, book).min(1).values.square().mean()))
    assert int((counts > 0).sum()) == 32
    assert errors[-1] < 0.85 * errors[0]  # `errors[0]` is of entries placed on random latents
    before = book.clone()
    average.update(torch.full((1, 4, 2, 2), 50.0), revive=False)
    moved = (book - before).norm(dim=1) > 0.1
    assert int(moved.sum()) == 1  # the entry that was chosen


def test_perplexity_and_psnr() -> None:
    assert float(perplexity(torch.tensor([5.0, 5.0, 5.0, 5.0]))) == pytest.approx(4, rel=1e-4)
    assert float(perplexity(torch.tensor([5.0, 0.0]))) == pytest.approx(1, rel=1e-4)
    x = torch.zeros(2, 3, 4, 4)
    assert float(psnr(x + 0.1, x, 1.0)) == pytest.approx(20, rel=1e-4)


def test_unit_latents_change_nothing() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Vqgan(TINY).requires_grad_(False)
    model.codebook.normal_(0.3, 0.02, generator=seeded(1))
    other = Vqgan(TINY).requires_grad_(False)
    other.load_state_dict(unit_latents(model.state_dict()))
    assert float(other.codebook.mean()) == pytest.approx(0, abs=1e-5)
    assert float(other.codebook.square().mean()) == pytest.approx(1, rel=1e-4)
    x = pictures(3)(2)
    (a, codes), (b, codes2) = rebuilt(model, x), rebuilt(other, x)
    assert torch.equal(codes, codes2)
    assert torch.allclose(a, b, atol=1e-4)


def test_learning_rate() -> None:
    assert learning_rate(0.0) < 0.1 < 0.9 < learning_rate(0.05)
    assert learning_rate(1.0) < 0.05


def train(trainer: VqganTrainer, steps: int) -> Tensor:
    trainer.model.train()
    return torch.stack([trainer.step(i / steps) for i in range(steps)])


def test_training_learns_and_repeats() -> None:
    first = VqganTrainer(RECIPE, pictures(4), CPU, tower())
    rows = train(first, 100)
    assert bool(rows.isfinite().all())
    assert float(rows[-10:, 0].mean()) < 0.7 * float(rows[:5, 0].mean())  # L1
    assert float(rows[:15, 3].sum()) == 0 < float(rows[30:, 3].min())  # the critic came in
    assert float(rows[-1, 4]) > 8  # entries in use
    again = VqganTrainer(RECIPE, pictures(4), CPU, tower())
    assert torch.equal(
        train(again, 3)[:1], train(VqganTrainer(RECIPE, pictures(4), CPU, tower()), 3)[:1]
    )
    held = pictures(5)(6)
    good, bad = (
        vqgan_figures(first.averaged(), held, tower()),
        vqgan_figures(again.averaged(), held),
    )
    assert good["psnr"] > bad["psnr"] + 1
    assert good["codes_used"] > 8


def test_half_width_and_iterators() -> None:
    take = pictures(6)
    recipe = dataclasses.replace(RECIPE, mixed=True)
    trainer = VqganTrainer(recipe, iter(lambda: take(4), None), CPU)
    before = [p.clone() for p in trainer.model.parameters()]
    assert trainer.warm_up() > 0
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert bool(train(trainer, 4).isfinite().all())


def test_run_keeps_its_budget() -> None:
    lines: list[str] = []
    trainer = VqganTrainer(RECIPE, pictures(7), CPU)
    trainer.run(lines.append, log_every=0.4)
    assert trainer.elapsed >= 1.0
    assert trainer.updates > 0
    assert trainer.seen == 4 * trainer.updates
    assert lines
    assert "pictures/s" in lines[0]


def test_refuses_gumbel() -> None:
    gumbel = dataclasses.replace(TINY, gumbel=True, embed_dim=16)
    with pytest.raises(ValueError, match="Gumbel"):
        VqganTrainer(dataclasses.replace(RECIPE, model=gumbel), pictures(0), CPU)


def test_writes_what_loads(tmp_path: Path) -> None:
    trainer = VqganTrainer(RECIPE, pictures(8), CPU)
    train(trainer, 3)
    model = trainer.averaged()
    held = pictures(9)(3)
    figures = vqgan_figures(model, held, batch=2)
    hashes = write_vqgan(
        tmp_path, model, name="tiny", version="1", recipe=dataclasses.asdict(RECIPE),
        figures=figures,
    )  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(hashes)
    assert all(hashes[name] == sha256(tmp_path / name) for name in hashes)
    card = json.loads((tmp_path / "vqgan.json").read_text())
    assert card["sha256"] == hashes["vqgan.safetensors"]
    assert card["recipe"]["model"]["n_embed"] == 32
    assert card["figures"]["psnr"] == pytest.approx(figures["psnr"], abs=1e-3)
    loaded = load_vqgan(tmp_path)
    assert torch.allclose(rebuilt(loaded, held)[0], rebuilt(model, held)[0], atol=0.3)
    write_sheet(tmp_path / "sheet.png", loaded, held)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (48, 32)


def test_writes_no_broken_model(tmp_path: Path) -> None:
    model = Vqgan(TINY).requires_grad_(False)
    model.codebook[0, 0] = 1e6  # beyond float16
    with pytest.raises(ValueError, match="finite"):
        write_vqgan(tmp_path, model, name="tiny", version="1")
