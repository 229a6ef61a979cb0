"""The VQGAN's network: as taming-transformers', its configuration, loading, errors."""

import contextlib
import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load, save_file
from torch import Tensor

from text2art.errors import WeightsCorrupt, WeightsMissing
from text2art.nets.vqgan import Vqgan, VqganConfig, load_vqgan, vqgan_from
from training.vqgan_export import write_vqgan

F8 = VqganConfig(
    ch=32, ch_mult=(1, 1, 2, 2), num_res_blocks=1, z_channels=16, embed_dim=8, n_embed=24,
    resolution=32, attn_resolutions=(4,),
)  # fmt: skip
F16 = dataclasses.replace(F8, ch_mult=(1, 1, 1, 2, 2), num_res_blocks=2, attn_resolutions=(4, 8))
GUMBEL = dataclasses.replace(F8, gumbel=True, embed_dim=16)
CONFIGS = {"f8": F8, "f16": F16, "gumbel": GUMBEL}

# What taming-transformers-rom1504 0.0.6 gives for `filled` weights and `picture`: mean and mean
# square of latents before `quantize` (of a Gumbel model: of its logits) and of the decoded picture.
RECORDED = {
    "f8": (-0.477063, 1.818689, 0.034533, 1.768434),
    "f16": (-0.056444, 1.606267, 0.063424, 1.976062),
    "gumbel": (-0.532064, 2.485250, 0.043002, 1.765094),
}


def filled(config: VqganConfig) -> Vqgan:
    """Return a VQGAN of random weights that do not depend on how torch initializes."""
    gen = torch.Generator().manual_seed(5)
    model = Vqgan(config)
    with torch.no_grad():
        for name, value in sorted(model.state_dict().items()):
            size = 1.0 if value.ndim < 3 else value[0].numel() ** -0.5
            value.copy_(torch.randn(value.shape, generator=gen) * size)
            if "norm" in name:
                value.mul_(0.2).add_(1.0 if name.endswith("weight") else 0.0)
    return model.eval()


def picture(batch: int = 2, height: int = 32, width: int = 48) -> Tensor:
    gen = torch.Generator().manual_seed(6)
    return torch.rand(batch, 3, height, width, generator=gen) * 2 - 1


def latents(model: Vqgan, x: Tensor) -> Tensor:
    h: Tensor = model.quant_conv(model.encoder(x))
    return model.quantize.proj(h) if model.config.gumbel else h


def summary(model: Vqgan) -> tuple[float, ...]:
    with torch.no_grad():
        z = latents(model, picture())
        y = model.decode(model.quantize(model.encode(picture()))[0])
    return tuple(float(v) for v in (z.mean(), z.square().mean(), y.mean(), y.square().mean()))


class Taming(torch.nn.Module):
    """taming's own modules, put together as its `VQModel` and `GumbelVQ` do, less Lightning."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__()
        model: Any = pytest.importorskip("taming.modules.diffusionmodules.model")
        quantize: Any = pytest.importorskip("taming.modules.vqvae.quantize")
        dd = config.to_taming()["params"]["ddconfig"]
        with contextlib.redirect_stdout(io.StringIO()):  # the decoder prints its shape
            self.encoder, self.decoder = model.Encoder(**dd), model.Decoder(**dd)
        if config.gumbel:
            self.quantize = quantize.GumbelQuantize(
                config.z_channels, config.embed_dim, config.n_embed
            )
        else:
            self.quantize = quantize.VectorQuantizer2(config.n_embed, config.embed_dim, beta=0.25)
        self.quant_conv = torch.nn.Conv2d(config.z_channels, config.embed_dim, 1)
        self.post_quant_conv = torch.nn.Conv2d(config.embed_dim, config.z_channels, 1)


@pytest.mark.parametrize("name", CONFIGS)
def test_is_what_taming_computes(name: str) -> None:
    config = CONFIGS[name]
    theirs: Any = Taming(config).eval()
    ours = filled(config)
    theirs.load_state_dict(ours.state_dict())  # strict: the very same names and shapes
    x, x2 = (picture().requires_grad_() for _ in range(2))
    h, h2 = ours.quant_conv(ours.encoder(x)), theirs.quant_conv(theirs.encoder(x2))
    assert torch.allclose(h, h2, atol=1e-4)
    if config.gumbel:
        assert torch.allclose(ours.quantize.proj(h), theirs.quantize.proj(h2), atol=1e-4)
        indices = theirs.quantize.proj(h2).argmax(1)
        b, *hw = indices.shape
        z2 = theirs.quantize.get_codebook_entry(indices.flatten(), (b, *hw, config.embed_dim))
        z = ours.encode(x)
        assert torch.equal(ours.quantize(z)[0], z)  # entries stay what they are
        h, h2 = h + z * 0, h2 + z2 * 0
    else:
        z, indices = ours.quantize(h)
        z2, _, (_, _, indices2) = theirs.quantize(h2)
        assert torch.equal(indices.flatten(), indices2.flatten())
    assert torch.allclose(z, z2, atol=1e-4)
    y, y2 = ours.decode(z), theirs.decoder(theirs.post_quant_conv(z2))
    assert torch.allclose(y, y2, atol=1e-4)
    if not config.gumbel:
        torch.autograd.backward(y.square().mean())
        torch.autograd.backward(y2.square().mean())
        assert x.grad is not None
        assert x2.grad is not None
        assert float(x.grad.abs().max()) > 1e-6
        assert torch.allclose(x.grad, x2.grad, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_is_what_taming_was_recorded_to_compute(name: str) -> None:
    assert summary(filled(CONFIGS[name])) == pytest.approx(RECORDED[name], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_shapes_and_gradients(name: str) -> None:
    model = filled(CONFIGS[name]).requires_grad_(False)
    f = model.config.factor
    assert f == (16 if name == "f16" else 8)
    z = model.encode(picture())
    assert z.shape == (2, model.config.embed_dim, 32 // f, 48 // f)
    z = z.detach().requires_grad_()
    entries, indices = model.quantize(z)
    assert indices.shape == z[:, 0].shape
    assert torch.allclose(entries, model.quantize.look_up(indices), atol=1e-6)
    out = model.decode(entries)
    assert out.shape == (2, 3, 32, 48)
    torch.autograd.backward(out.sum())
    assert z.grad is not None
    assert bool(z.grad.any())  # straight through
    assert not model.quantize(z, straight_through=False)[0].requires_grad


def test_nearest_is_nearest() -> None:
    model = filled(F8)
    z = torch.randn(1, 8, 5, 7, generator=torch.Generator().manual_seed(0))
    rows = z.permute(0, 2, 3, 1).reshape(-1, 8)
    expected = torch.cdist(rows, model.codebook).argmin(1).view(1, 5, 7)
    assert torch.equal(model.quantize(z)[1], expected)


def test_autocast_stays_near() -> None:
    model = filled(F8)
    z, _ = model.quantize(model.encode(picture()))
    with torch.autocast("cpu", torch.bfloat16):
        half = model.decode(z)
    assert half.dtype == torch.bfloat16
    assert float((half - model.decode(z)).abs().mean().detach()) < 0.05


def test_configuration_survives_taming() -> None:
    for config in CONFIGS.values():
        assert VqganConfig.from_taming(json.loads(json.dumps(config.to_taming()))) == config


def yaml_like() -> dict[str, Any]:
    """Return imagenet_f16_1024's configuration as a YAML reader gives it."""
    dd = {
        "double_z": False, "z_channels": 256, "resolution": 256, "in_channels": 3, "out_ch": 3,
        "ch": 128, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 2, "attn_resolutions": [16],
        "dropout": 0.0,
    }  # fmt: skip
    loss = {"target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator"}
    params = {"embed_dim": 256, "n_embed": 1024, "ddconfig": dd, "lossconfig": loss}
    return {"model": {"base_learning_rate": 4.5e-6, "target": "taming.models.vqgan.VQModel",
                      "params": params}}  # fmt: skip


def test_reads_tamings_yaml() -> None:
    whole = yaml_like()
    config = VqganConfig.from_taming(whole)
    assert (config.factor, config.n_embed, config.gumbel) == (16, 1024, False)
    params = whole["model"]["params"]
    assert VqganConfig.from_taming(params) == config
    assert VqganConfig.from_taming(params, gumbel=True).gumbel
    assert VqganConfig.from_taming({**params, "kl_weight": 1e-8}).gumbel
    stage = {"target": "taming.models.vqgan.VQModel", "params": params}
    assert VqganConfig.from_taming({"model": {"params": {"first_stage_config": stage}}}) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ch": 48}, "multiples of 32"),
        ({"ch_mult": []}, "whole numbers"),
        ({"norm_groups": 48}, "multiples of 48"),
        ({"resolution": 250}, "no multiple of 16"),
        ({"double_z": True}, "double_z"),
        ({"dropout": 1.5}, "dropout"),
        ({"num_res_blocks": 0}, "whole numbers"),
        ({"z_channels": "many"}, "whole numbers"),
        ({"ch_mult": 3}, "incomplete"),
        ({"attention": "flash"}, "unknown ddconfig entries: attention"),
    ],
)
def test_refuses_configurations(change: dict[str, Any], message: str) -> None:
    whole = yaml_like()
    whole["model"]["params"]["ddconfig"] |= change
    with pytest.raises(ValueError, match=message):
        VqganConfig.from_taming(whole)


def test_refuses_what_it_cannot_do() -> None:
    params = yaml_like()["model"]["params"]
    with pytest.raises(ValueError, match="remap"):
        VqganConfig.from_taming({**params, "remap": "codes.npy"})
    with pytest.raises(ValueError, match="incomplete"):
        VqganConfig.from_taming({"ddconfig": params["ddconfig"]})
    with pytest.raises(ValueError, match="embed_dim equal"):
        VqganConfig.from_taming({**params, "embed_dim": 64}, gumbel=True)


def test_drops_losses_only() -> None:
    model = filled(F8)
    state = model.state_dict()
    extra = {**state, "loss.discriminator.main.0.weight": torch.ones(1)}
    again = vqgan_from(F8, extra)
    assert all(torch.equal(v, state[k]) for k, v in again.state_dict().items())
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    staged = {f"first_stage_model.{k}": v for k, v in extra.items()}
    assert vqgan_from(F8, {**staged, "transformer.head": torch.ones(1)}).config == F8
    with pytest.raises(WeightsCorrupt, match="colorize"):
        vqgan_from(F8, {**state, "colorize": torch.ones(1)})
    del state["quant_conv.bias"]
    with pytest.raises(WeightsCorrupt, match=r"quant_conv\.bias"):
        vqgan_from(F8, state)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_vqgan(tmp_path, filled(F8), name="tiny", version="3")
    return tmp_path


def test_loads_what_was_written(folder: Path) -> None:
    model = load_vqgan(folder)
    assert (model.name, model.version, model.config) == ("tiny", "3", F8)
    assert all(v.dtype == torch.float32 for v in model.state_dict().values())
    x = picture()
    assert torch.allclose(model.encode(x), filled(F8).encode(x), atol=0.05)  # half precision
    assert load_vqgan(folder / "vqgan.safetensors").config == F8


def test_missing_files(folder: Path) -> None:
    (folder / "vqgan.json").unlink()
    with pytest.raises(WeightsMissing, match=r"vqgan\.json"):
        load_vqgan(folder)
    with pytest.raises(WeightsMissing):
        load_vqgan(folder / "nowhere")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"format": 2}', '{"format": 1, "name": "x", "version": "1"}',
     '{"format": 1, "name": "x", "version": "1", "model": {"params": 3}}',
     '{"format": 1, "name": "x", "version": "1", "model": 3}'],
)  # fmt: skip
def test_damaged_cards(folder: Path, text: str) -> None:
    (folder / "vqgan.json").write_text(text)
    with pytest.raises(WeightsCorrupt):
        load_vqgan(folder)


def test_damaged_tensors(folder: Path) -> None:
    path = folder / "vqgan.safetensors"
    whole, state = path.read_bytes(), load(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsCorrupt):
        load_vqgan(folder)
    save_file({**state, "quant_conv.bias": torch.zeros(9)}, path)
    with pytest.raises(WeightsCorrupt):
        load_vqgan(folder)
    save_file({**state, "quant_conv.bias": torch.full((8,), torch.nan)}, path)
    with pytest.raises(WeightsCorrupt, match="finite"):
        load_vqgan(folder)


def test_the_shipped_vqgan_brings_pictures_through() -> None:
    model = load_vqgan(Path(__file__).parents[1] / "weights" / "starter")
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    disc = ((x**2 + y**2) < 0.4).float()
    red, blue = torch.tensor([0.7, -0.8, -0.8]), torch.tensor([-0.8, -0.4, 0.8])
    picture = disc * red.view(3, 1, 1) + (1 - disc) * blue.view(3, 1, 1)
    with torch.no_grad():
        z, codes = model.quantize(model.encode(picture[None]))
        back = model.decode(z)[0]
    assert codes.shape == (1, 8, 8)
    assert (back - picture).abs().mean() < 0.12  # of a range of 2


# ---- taming's own files --------------------------------------------------------------------------


def taming_files(folder: Path, config: VqganConfig, stem: str = "last") -> Path:
    """Write what taming's training leaves: a checkpoint with more than the model, and its YAML."""
    state = {**filled(config).state_dict(), "loss.discriminator.main.0.weight": torch.zeros(3)}
    torch.save({"epoch": 3, "global_step": 7, "state_dict": state}, folder / f"{stem}.ckpt")
    document = {"model": {"base_learning_rate": 4.5e-06, **config.to_taming()}, "data": {"x": 1}}
    document["model"]["params"]["lossconfig"] = {"target": "taming.modules.losses.DummyLoss"}
    (folder / f"{stem}.yaml").write_text(yaml.safe_dump(document))
    return folder / f"{stem}.ckpt"


@pytest.mark.parametrize("name", CONFIGS)
def test_tamings_checkpoints_load(tmp_path: Path, name: str) -> None:
    checkpoint = taming_files(tmp_path, CONFIGS[name])
    model = load_vqgan(str(checkpoint))
    assert model.config == CONFIGS[name]
    assert model.name == "last"
    assert model.digest == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert not any(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        assert torch.equal(model.encode(picture()), filled(CONFIGS[name]).encode(picture()))
    assert load_vqgan(tmp_path).config == model.config  # the only checkpoint of a folder


def test_the_configuration_may_be_anywhere_if_named(tmp_path: Path) -> None:
    checkpoint = taming_files(tmp_path, F8)
    elsewhere = tmp_path / "elsewhere.yml"
    (tmp_path / "last.yaml").rename(elsewhere)
    with pytest.raises(WeightsMissing, match=r"configuration of .* is missing: put .*last\.yaml"):
        load_vqgan(checkpoint)
    assert load_vqgan(checkpoint, elsewhere).config == F8
    with pytest.raises(WeightsMissing, match=r"nowhere\.yaml is missing"):
        load_vqgan(checkpoint, tmp_path / "nowhere.yaml")


def test_a_configuration_of_another_model_is_refused_in_few_words(tmp_path: Path) -> None:
    checkpoint = taming_files(tmp_path, F8)
    taming_files(tmp_path, F16, "other")
    with pytest.raises(WeightsCorrupt, match="do not fit") as caught:
        load_vqgan(checkpoint, tmp_path / "other.yaml")
    assert len(str(caught.value)) < 900
    with pytest.raises(WeightsMissing, match=r"must hold one VQGAN, it holds: last\.ckpt, other"):
        load_vqgan(tmp_path)


def test_what_a_file_carries_comes_before_what_lies_beside_it(tmp_path: Path) -> None:
    state = filled(F8).state_dict()
    card = json.dumps({**F8.to_taming(), "name": "carried"})
    save_file(state, tmp_path / "a.safetensors", metadata={"format": "pt", "config": card})
    taming_files(tmp_path, F16, "a")
    assert load_vqgan(tmp_path / "a.safetensors").name == "carried"
    assert load_vqgan(tmp_path / "a.ckpt").config == F16
