"""The loop's benchmark: its counts, its floors, its yardstick, and the tables it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import launches, together
from benchmarks.loop import __main__ as command
from benchmarks.loop import looks, peaks, table, views
from benchmarks.loop.ancestor import Ancestor
from benchmarks.loop.configs import CONFIGS, GROUPS, PROMPT, VIEWS, chosen
from benchmarks.loop.floors import Tally, Work, floors_of, traffic_between
from benchmarks.loop.measure import Plan, in_turn
from benchmarks.loop.networks import F16, TINY_F16, RandomModels, clip_net, random_vqgan
from benchmarks.loop.peaks import Peaks
from benchmarks.loop.plain import PlainVqgan, plain_tower
from benchmarks.loop.split import PARTS, Split, installed
from benchmarks.loop.worker import Ours, Theirs
from text2art import loop
from text2art.chunks import see_in_chunks
from text2art.core import View
from text2art.cutouts.recipes import ViewSampler
from text2art.errors import InputFileError, MissingExtra, Text2ArtError
from text2art.losses.prompt import PromptLoss, Target
from text2art.nets.vqgan import Vqgan
from text2art.options.cutouts import ViewOptions
from text2art.runtime import pick, stream
from text2art.session import Session

RATES = Peaks({"float32": 1e9, "bfloat16": 4e9}, bandwidth=1e8)
WITH_ANCESTORS = [name for name, config in CONFIGS.items() if config.recipe]


# ---- counting ----------------------------------------------------------------------------------


def small_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(512, 5))


def test_operations_of_a_small_network_are_counted_forward_and_backward() -> None:
    net, x = small_net().requires_grad_(False), torch.randn(2, 3, 8, 8, requires_grad=True)
    with Tally() as tally:
        net(x).sum().backward()
    convolution = 2 * 2 * 8 * 8 * 8 * 3 * 9  # batch, outputs, inputs, kernel; two a pair
    linear = 2 * 2 * 512 * 5
    assert tally.flops == 2 * (convolution + linear)  # the weights are frozen: inputs alone
    assert tally.strange == set()


def test_the_count_is_that_of_torchs_own_counter() -> None:
    net = clip_net("ViT-B-32-quickgelu@random", tiny=True)
    visual: Any = net.visual

    def step() -> None:
        crops = torch.randn(2, 3, 32, 32, requires_grad=True)
        visual(crops).sum().backward()

    with Tally() as tally:
        step()
    with FlopCounterMode(display=False) as counter:
        step()
    assert tally.flops == counter.get_total_flops() > 0


def test_traffic_of_a_product_is_what_goes_in_and_comes_out() -> None:
    a, b = torch.randn(3, 5), torch.randn(5, 7)
    with Tally(lambda: "drawer") as tally:
        _ = a @ b
    assert tally.works == [Work("drawer", "float32", 2 * 3 * 5 * 7, 4.0 * (15 + 35 + 21))]


def test_products_with_packed_weights_are_counted() -> None:
    x, w = torch.randn(2, 3, 16), torch.randn(8, 16)
    mkldnn: Any = torch.backends.mkldnn
    packed = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if packed is None or not mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    with torch.no_grad(), Tally() as tally:
        packed(x, w, None, "none", [], "")
    assert tally.flops == 2 * 2 * 3 * 16 * 8


def test_number_types_are_told_apart() -> None:
    a = torch.randn(4, 4)
    with Tally() as tally:
        _ = a @ a
        _ = a.bfloat16() @ a.bfloat16()
    assert [work.dtype for work in tally.works] == ["float32", "bfloat16"]


def test_what_is_seen_again_to_save_memory_is_extra() -> None:
    weights = torch.randn(3 * 4, 2)
    split = Split()

    def see(crops: torch.Tensor) -> torch.Tensor:
        return crops.flatten(1) @ weights

    def needed(size: int) -> float:
        crops = torch.randn(4, 3, 2, 2, requires_grad=True)
        with Tally(lambda: split.part) as tally:
            split.enter("perceptor")
            seen = see_in_chunks(see, crops, size)
            split.enter("backward")
            torch.autograd.backward(seen.sum())
            split.enter("")
        return float(sum(work.flops for work in tally.works if not work.extra))

    assert needed(1) == needed(4)


# ---- floors ------------------------------------------------------------------------------------


def test_a_product_takes_the_longer_of_computing_and_carrying() -> None:
    works = [
        Work("drawer", "float32", 3e9, 1e8),  # 3 s to compute, 1 s to carry
        Work("perceptor", "bfloat16", 4e9, 2e8),  # 1 s, 2 s
        Work("perceptor", "float16", 1e9, 0.0),  # a type nobody measured: as float32
        Work("perceptor", "float32", 1e12, 0.0, extra=True),
        Work("", "float32", 1e12, 0.0),  # of no part
    ]
    floors = floors_of(works, {"cutouts": 5e7}, RATES)
    assert floors == {
        "drawer": 3.0, "cutouts": 0.5, "perceptor": 3.0, "losses": 0.0, "backward": 0.0,
        "optimizer": 0.0,
    }  # fmt: skip


def test_every_size_of_looks_is_carried_once_and_seen_by_each_perceptor() -> None:
    between = traffic_between(100.0, 10.0, {2: 3}, [2, 2])
    crops = 4.0 * 3 * 3 * 2 * 2
    assert between["cutouts"] == 100 + crops
    assert between["perceptor"] == 2 * crops
    assert between["optimizer"] == 70
    assert set(between) == set(PARTS)


def test_rates_are_measured_and_positive() -> None:
    found = peaks.measure(pick("cpu"), seconds=0.0, scale=32)
    assert found.bandwidth > 0
    assert found.flops["float32"] > 0
    assert found.rate("float64") == found.flops["float32"]


# ---- parts -------------------------------------------------------------------------------------


def test_parts_at_work_exclude_each_other_and_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(100))
    monkeypatch.setattr("benchmarks.loop.split.time.perf_counter", lambda: float(next(now)))
    split = Split()
    inner = split.around("perceptor", lambda: None)
    split.around("losses", inner)()  # read at 0, 1, 2, 3
    assert split.taken() == {**dict.fromkeys(PARTS, 0.0), "losses": 2.0, "perceptor": 1.0}
    split.enter("backward")  # 4
    inner()  # what is seen again backward is of the backward pass
    split.enter("")  # 5
    assert split.taken()["backward"] == 1.0


def test_clocks_leave_a_session_as_it_was_and_draw_the_same_picture() -> None:
    config = CONFIGS["toy-normal-pyramid"].made(size="32x32", cuts=2)
    models = RandomModels(pick("cpu"))

    def last(split: Split | None) -> torch.Tensor:
        with Session(config, models=models) as session:
            before = [dict(vars(p)) for p, _ in session.ensemble]
            frames = loop.run(session.scene, 3)
            if split is None:
                return [frame.image for frame in frames][-1]
            with installed(split, session):
                image = [frame.image for frame in frames][-1]
            assert [dict(vars(p)) for p, _ in session.ensemble] == before
            assert "terms" not in vars(session.scene)
            assert "forward" not in vars(session.scene.drawer)
            return image

    split = Split()
    assert torch.equal(last(split), last(None))
    assert all(seconds > 0 for seconds in split.taken().values())


# ---- configurations ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CONFIGS if CONFIGS[name].full])
def test_every_full_configuration_takes_a_step_in_small_and_has_a_floor(name: str) -> None:
    side = Ours(name, "cpu", tiny=True)
    answer = side.answer("step", count=2)
    assert len(answer["seconds"]) == len(answer["parts"]) == 2
    floor = side.answer("floor", peaks={"flops": {"float32": 1e9}, "bandwidth": 1e9})
    assert floor["flops"] > 0
    assert floor["strange"] == []
    for part in ("drawer", "cutouts", "perceptor", "backward", "optimizer"):
        assert floor["floors"][part] > 0
    assert side.answer("memory")["mib"] > 0
    assert json.loads(json.dumps({**answer, **floor})) == {**answer, **floor}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_every_configuration_is_made_of_settings_that_are_accepted(name: str) -> None:
    settings = CONFIGS[name].made()
    assert settings.starts_tried == 1
    if CONFIGS[name].recipe:
        assert settings.size is not None
        assert all(side % F16.factor == 0 for side in settings.size)  # the ancestors draw no other
        assert settings.cuts is not None
        assert settings.cuts % CONFIGS[name].passes == 0


def test_groups_and_names_stand_for_configurations_in_order() -> None:
    assert chosen(["all"]) == [*CONFIGS, VIEWS]
    assert chosen([VIEWS, "normal", "normal"]) == ["normal", VIEWS]
    assert set(chosen(["starter", "full"])) == set(CONFIGS)
    assert "vqgan-256-b32-32" in GROUPS["full"]


def test_the_random_vqgan_has_the_size_of_the_published_one() -> None:
    with torch.device("meta"):
        net = Vqgan(F16)
    assert net.codebook.shape == (16384, 256)
    assert F16.factor == 16
    # What taming prints of it: a decoder of 42.5 million parameters.
    assert sum(p.numel() for p in net.decoder.parameters()) == pytest.approx(42.45e6, rel=0.01)


# ---- the ancestors' step -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def ancestor() -> Ancestor:
    if not looks.there():
        pytest.skip("kornia is not installed")
    return Ancestor(CONFIGS["better"], torch.device("cpu"), tiny=True)


def test_the_ancestors_decoder_draws_our_picture() -> None:
    net = random_vqgan(TINY_F16)
    plain = PlainVqgan(net.state_dict(), TINY_F16)
    z = torch.randn(1, 8, 3, 2, generator=stream(1, "z"))
    with torch.no_grad():
        entries, _ = net.quantize(z)
        torch.testing.assert_close(plain.quantize(z), entries)
        torch.testing.assert_close(plain.decode(entries), net.decode(entries))


def test_the_ancestors_gradient_passes_the_codebook_as_ours_does() -> None:
    net = random_vqgan(TINY_F16)
    plain = PlainVqgan(net.state_dict(), TINY_F16)
    start = torch.randn(1, 8, 2, 2, generator=stream(2, "z"))
    pull = torch.randn(1, 3, 32, 32, generator=stream(3, "pull"))
    found = []
    draws: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda z: net.decode(net.quantize(z)[0]),
        lambda z: plain.decode(plain.quantize(z)),
    ]
    for draw in draws:
        z = start.clone().requires_grad_()
        found.append(torch.autograd.grad(draw(z), z, pull)[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-5)


def test_the_ancestors_loss_of_the_same_looks_is_ours(ancestor: Ancestor) -> None:
    models = RandomModels(pick("cpu"), tiny=True)
    names = str(CONFIGS["better"].settings["perceptor"]).split(",")
    image = ancestor.picture().detach().requires_grad_()
    cutouts = ViewSampler(ViewOptions(), 4, 1)
    view = View(image, 0, 0.0, cutouts)
    for eye, name in zip(ancestor.eyes, names, strict=True):
        perceptor = models.perceptor(name)
        target = Target(perceptor, 1.0, perceptor.read([PROMPT]))
        ours = PromptLoss("prompt", [target])(view)
        theirs = eye.distance(view.crops(eye.size))
        torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-6)
        a, b = (torch.autograd.grad(loss, image, retain_graph=True)[0] for loss in (ours, theirs))
        assert float(F.cosine_similarity(a.flatten(), b.flatten(), dim=0)) > 0.999


@pytest.mark.parametrize("model", ["ViT-B-32-quickgelu", "RN50-quickgelu"])
def test_the_plain_towers_see_what_open_clips_see(model: str) -> None:
    net: Any = clip_net(f"{model}@random", tiny=True)
    crops = torch.randn(2, 3, 32, 32, generator=stream(1, model))
    with torch.no_grad():
        wanted = net.encode_image(crops)
        torch.testing.assert_close(plain_tower(net.visual)(crops), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", WITH_ANCESTORS)
def test_the_ancestor_takes_steps_that_lower_its_loss_or_at_least_move(name: str) -> None:
    if not looks.there():
        pytest.skip("kornia is not installed")
    side = Theirs(name, "cpu", tiny=True)
    before = side.ancestor.latents.detach().clone()
    answer = side.answer("step", count=2)
    assert len(answer["seconds"]) == 2
    assert all(set(parts) == set(PARTS) for parts in answer["parts"])
    assert not torch.equal(side.ancestor.latents, before)
    assert bool(side.ancestor.latents.isfinite().all())
    assert side.answer("split", count=1)["parts"][0]["backward"] > 0


def test_the_ancestors_looks_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "there", lambda: False)
    with pytest.raises(MissingExtra, match="pip install kornia"):
        looks.by_kornia("pixray", 4, 16)


@pytest.mark.parametrize("recipe", views.RECIPES)
def test_looks_alone_are_taken_by_both_sides(recipe: str) -> None:
    views.ours(recipe, torch.device("cpu"), tiny=True)()
    if looks.there():
        views.theirs(recipe, torch.device("cpu"), tiny=True)()
        crops = looks.by_kornia("pixray", 5, 16)(torch.rand(1, 3, 32, 48))
        assert crops.shape == (5, 3, 16, 16)


# ---- turns, tables, the command ----------------------------------------------------------------


class Counted:
    """A worker that only counts, and takes a second for each step."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def ask(self, do: str, count: int) -> dict[str, Any]:
        self.log.append(self.name)
        return {"seconds": [1.0] * count}


def turns(**plan: Any) -> list[str]:
    log: list[str] = []
    in_turn([Counted(log, "a"), Counted(log, "b")], Plan("cpu", **plan), cuda=False)  # type: ignore[list-item]
    return log


def test_sides_take_turns_after_a_warm_up() -> None:
    assert turns(steps=2, warm_up=1) == ["a", "b"] * 3
    assert turns(steps=1, warm_up=0) == ["a", "b"]
    assert turns() == ["a", "b"] * 4  # three are enough for slow ones


def row(name: str, seconds: float) -> dict[str, Any]:
    parts = dict.fromkeys(PARTS, seconds / 6)
    other = {"step": 2 * seconds, "parts": parts, "memory": 20.0}
    return {
        "config": name, "step": seconds, "parts": parts, "floors": parts, "floor": seconds / 2,
        "flops": 1e9, "memory": 10.0, "ancestor": other, "published": 15.6, "chunk": None,
        "strange": [],
    }  # fmt: skip


def run(device: str) -> dict[str, Any]:
    return {
        "device": device, "machine": f"a {device}", "threads": 1, "torch": "2", "text2art": "0",
        "date": "2026-01-02", "command": "python -m benchmarks.loop",
        "peaks": {"flops": {"float32": 1e11}, "bandwidth": 1e10},
    }  # fmt: skip


def test_a_run_replaces_only_the_rows_of_its_device_that_it_measured() -> None:
    first = table.merged({}, "cpu", [row("normal", 70.0), row("pixel", 4.0)], run("cpu"))
    both = table.merged(first, "cuda", [row("normal", 0.01)], run("cuda"))
    again = table.merged(both, "cpu", [row("normal", 35.0)], run("cpu"))
    assert again["cuda"] == both["cuda"]
    assert again["cpu"]["pixel"] == both["cpu"]["pixel"]
    text = table.tables(again)
    assert "| `normal` | cpu | 35.0 | 17.5 | 50% | 70.0 | 2.00 | 15.6 | 10 | 20 | 1 |" in text
    assert "| `normal` | cuda | 0.0100 | 0.0050 | 50% | 0.0200 | 2.00 | | 10 | 20 | 2 |" in text
    assert "| `pixel` | cuda | not measured yet |" in text
    assert "2. 2026-01-02, a cuda, torch 2" in text


def test_figures_have_three_digits() -> None:
    shown = [table.figure(s) for s in (123.4, 12.34, 1.234, 0.1234, 0.01234, 0.00123, 1e-5)]
    assert shown == ["123", "12.3", "1.23", "0.123", "0.0123", "0.0012", "0"]


def test_only_what_lies_between_the_markers_is_written(tmp_path: Path) -> None:
    text = table.DOCUMENT.read_text(encoding="utf-8")
    fresh = table.replace_tables("Mine.\n" + text, table.merged({}, "cpu", [], run("cpu")))
    assert fresh.startswith("Mine.\n")
    assert fresh.endswith("## Quality per second" + text.rpartition("## Quality per second")[2])
    with pytest.raises(ValueError, match="marker"):
        table.replace_tables("nothing", {})
    damaged = tmp_path / "measured.json"
    damaged.write_text("{")
    with pytest.raises(InputFileError, match="measured rows"):
        table.load(damaged)


def test_the_document_shows_what_is_kept() -> None:
    text = table.DOCUMENT.read_text(encoding="utf-8")
    message = "run python -m benchmarks.loop --tables"
    assert table.replace_tables(text, table.load()) == text, message


def test_the_command_measures_in_processes_and_writes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, document = tmp_path / "measured.json", tmp_path / "performance.md"
    document.write_text(table.DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    words = ["--kept", str(kept), "--document", str(document)]
    table.save(table.merged({}, "cuda", [row("normal", 0.01)], run("cuda")), kept)
    given = ["--tiny", "--steps", "1", "--device", "cpu", "--config", "vqgan-256-b32-32", "--write"]
    assert command.main([*given, *words]) == 0
    printed = capfd.readouterr().out
    assert "vqgan-256-b32-32" in printed
    assert "GFLOP/s" in printed
    measured = table.load(kept)
    assert set(measured["cpu"]) == {"vqgan-256-b32-32"}
    assert set(measured["cuda"]) == {"normal"}
    found = measured["cpu"]["vqgan-256-b32-32"]
    assert found["floor"] == pytest.approx(sum(found["floors"].values()))
    assert sum(found["parts"].values()) <= 1.001 * found["step"]
    assert "not measured yet" in document.read_text(encoding="utf-8")
    before = document.read_bytes()
    assert command.main(["--tables", *words]) == 0
    assert document.read_bytes() == before


def test_what_cannot_be_measured_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--device", "abacus", "--config", "normal"]) == 1
    assert "Error: unknown device 'abacus'" in capfd.readouterr().err


def test_a_worker_that_ends_is_told() -> None:
    with (
        pytest.raises(Text2ArtError, match="ended with"),
        Plan("cpu", tiny=True).worker("nobody", "") as worker,
    ):
        worker.ask("step", count=1)


def test_networks_launch_little_as_graphs(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("vqgan-256-b32-32", "vqgan-256-b32-32-half"):
        plain = launches.operations(name, with_graphs=False, tiny=True)
        graphed = launches.operations(name, with_graphs=True, tiny=True)
        assert 150 < graphed < 0.5 * plain
    launches.main(["--config", "toy-normal-pyramid"])  # whose networks are no graphs
    row = capfd.readouterr().out.splitlines()[-1].split("|")
    assert row[1].strip() == "`toy-normal-pyramid`"
    assert row[2] == row[3]


def test_company_is_measured(capfd: pytest.CaptureFixture[str]) -> None:
    quick = ["--turns", "2", "--steps", "1"]
    together.main(["--config", "toy-normal-pyramid", "--pictures", "1", "3", *quick])
    head, _, row = capfd.readouterr().out.splitlines()
    assert head == "| configuration | 1 together | 3 together |"
    name, *seconds = (cell.strip() for cell in row.strip("|").split("|"))
    assert name == "`toy-normal-pyramid`"
    assert all(0 < float(cell) < 60 for cell in seconds)


def test_the_table_needs_no_torch() -> None:
    source = (
        "import sys, benchmarks.loop.table, benchmarks.loop.measure; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=table.ROOT
    )
    assert done.stdout.strip() == "False"
