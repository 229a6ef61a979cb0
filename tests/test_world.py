"""The picture world: subjects and their drawings, plans, what captions say of them."""

import json
import pickle
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from training import captions, falsify, icons, layouts, scenes, sprites, world
from training.captions import NOISE, NOTHING, WORDS, Claim, WordTokenizer, known_tokens, write
from training.icons import IconSet, IconsMissingError
from training.plan import Plan, Planner
from training.shapes import draw_shape
from training.sprites import FONT_PACKAGE, Sprites, render_sprites
from training.subjects import SHAPES, SUBJECT_INDEX, SUBJECTS, plural
from training.world import (
    BACKGROUND_NAMES,
    CENTER,
    COLOR,
    COLOR_NAMES,
    COUNT,
    NOISE_WORDS,
    PLACE,
    PLACE_NAMES,
    RELATION,
    RELATION_NAMES,
    SCENE_NAMES,
    SECOND,
    SECOND_COLOR,
    SIZE,
    SIZE_NAMES,
    STYLE_NAMES,
    SUBJECT,
)

FIRST_WORDS = [0.9, *[0.0] * 7, 0.9, 0.0, 0.9, *[0.0] * 5]  # no synonym, no style, the first of all
RED, BLUE, ORANGE = (COLOR_NAMES.index(n) for n in ("red", "blue", "orange"))
LEFT, ABOVE = RELATION_NAMES.index("left"), RELATION_NAMES.index("above")
SMALL, LARGE = SIZE_NAMES.index("small"), SIZE_NAMES.index("large")


def claim(subject: str, **rest: int) -> Claim:
    return Claim(subject=SUBJECT_INDEX[subject], **{"count": 1, **rest})


def drawings() -> SimpleNamespace:
    """As many drawings as subjects have, without rendering any: a planner needs no pixels."""
    rows = [
        (i, drawing in subject.held_back, drawing.startswith("*") and subject.name in SHAPES)
        for i, subject in enumerate(SUBJECTS)
        for drawing in (*subject.drawings, *subject.held_back)
    ]
    subject, held_back, plain = (np.array(column) for column in zip(*rows, strict=True))
    color = np.where(plain, -1, subject % (len(COLOR_NAMES) + 1) - 1)
    return SimpleNamespace(subject=subject, color=color, plain=plain, held_back=held_back)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Planner(drawings()).draw(np.ones(6000, dtype=np.float32), np.random.default_rng(1))


@pytest.fixture(scope="module")
def rendered() -> Sprites:
    if not sprites.font_path().is_file():
        pytest.skip(f"the emoji font is missing (apt-get install {FONT_PACKAGE})")
    return render_sprites()


def test_world_is_as_large_as_promised() -> None:
    assert len(SUBJECTS) >= 175
    assert len(COLOR_NAMES) == 12
    assert len(SCENE_NAMES) >= 12
    assert len(STYLE_NAMES) - 1 >= 8
    assert len(SUBJECT_INDEX) == len(SUBJECTS), "a subject is listed twice"
    for subject in SUBJECTS:
        assert subject.drawings, subject.name
        assert set(subject.broader) <= set(SUBJECT_INDEX)


def test_no_name_means_two_subjects() -> None:
    meant = Counter(noun for s in SUBJECTS for noun in {s.name, *s.synonyms})
    assert [noun for noun, times in meant.items() if times > 1] == []
    drawn = Counter(d for s in SUBJECTS for d in (*s.drawings, *s.held_back))
    assert [drawing for drawing, times in drawn.items() if times > 1] == []


@pytest.mark.parametrize(
    ("one", "many"),
    [("star", "stars"), ("box", "boxes"), ("cherry", "cherries"), ("key", "keys"),
     ("cup of coffee", "cups of coffee"), ("snowman", "snowmen"), ("butterfly", "butterflies"),
     ("tomato", "tomatoes"), ("scissors", "scissors"), ("wine glass", "wine glasses")],
)  # fmt: skip
def test_plural(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (claim("cat", color=ORANGE, background=BLUE), "an orange cat on a blue background"),
        (claim("star", count=2), "two stars"),
        (claim("cactus", style=STYLE_NAMES.index("pixelart")), "a cactus #pixelart"),
        (Claim(subject=NOISE), NOISE_WORDS[-2]),
        (claim("castle", background=BACKGROUND_NAMES.index("night")), "a castle at night"),
        (claim("apple", color=RED, size=SMALL), "a small red apple"),
        (claim("fish", size=LARGE, count=2), "two big fish"),
        (claim("cat", place=PLACE_NAMES.index("left")), "a cat on the left"),
        (claim("circle", color=RED, second=SUBJECT_INDEX["square"], second_color=BLUE,
               relation=ABOVE), "a red circle above a blue square"),
        (claim("apple", second=SUBJECT_INDEX["owl"], relation=LEFT),
         "an apple to the left of an owl"),
        (claim("cat", second=SUBJECT_INDEX["dog"]), "a cat and a dog"),
        (claim("fire"), "fire"),
    ],
)  # fmt: skip
def test_captions_say_what_they_claim(said: Claim, text: str) -> None:
    assert len(FIRST_WORDS) == WORDS
    assert write(said, FIRST_WORDS) == text


def test_styles_replace_the_article() -> None:
    neon = claim("cat", style=STYLE_NAMES.index("neon"))
    assert write(neon, FIRST_WORDS) == "a neon cat"
    owl = claim("owl", background=COLOR_NAMES.index("orange"))
    assert write(owl, FIRST_WORDS) == "an owl on an orange background"


def test_emphasis_brings_a_subject_more_often(plan: Plan) -> None:
    mushroom, apple = SUBJECT_INDEX["mushroom"], SUBJECT_INDEX["apple"]
    stressed = Planner(drawings(), emphasis={"mushroom": 30.0}).draw(
        np.ones(6000, dtype=np.float32), np.random.default_rng(1)
    )
    before, after = (np.bincount(p.truth[:, 0], minlength=200) for p in (plan, stressed))
    assert after[mushroom] > 8 * before[mushroom]
    assert after[apple] > before[apple] / 2  # others make room, and stay


def test_emphasis_on_what_is_no_subject_is_refused() -> None:
    with pytest.raises(ValueError, match="no subject is called mushrom"):
        Planner(drawings(), emphasis={"mushrom": 2.0})


def test_word_tokenizer_equals_clips_own() -> None:
    tokenizer = WordTokenizer()
    for text in ("a red apple, pixel art", "An orange cat #pixelart", "a t-rex at night"):
        row = tokenizer.clip([text])[0]
        assert tokenizer.ids(text) == row[: int(row.argmax()) + 1].tolist()


def test_every_caption_word_is_in_the_vocabulary(plan: Plan) -> None:
    words = set(captions.vocabulary())
    tokens = set(known_tokens(WordTokenizer()).tolist())
    tokenizer = WordTokenizer()
    for text in plan.captions + plan.false_captions:
        ids = tokenizer.ids(text)
        assert set(ids) <= tokens, text
        assert len(ids) < captions.CONTEXT, text
        for word in text.lower().split():
            assert word.strip(",.#") in words, (word, text)
    for table in (world.SIZE_WORDS, world.PLACE_WORDS, world.RELATION_WORDS, world.COLOR_WORDS):
        for phrase in (phrase for phrases in table.values() for phrase in phrases):
            assert set(phrase.split()) <= words, phrase


def test_a_planner_is_small_and_the_same_everywhere() -> None:
    planner = Planner(drawings())
    packed = pickle.dumps(planner)
    assert len(packed) < 20_000
    dif = np.linspace(0, 1, 300, dtype=np.float32)
    a = planner.draw(dif, np.random.default_rng(7))
    b = pickle.loads(packed).draw(dif, np.random.default_rng(7))
    other = planner.draw(dif, np.random.default_rng(8))
    assert a.captions == b.captions
    assert (a.truth == b.truth).all()
    assert (a.slots == b.slots).all()
    assert a.captions != other.captions


def test_plans_have_their_shapes(plan: Plan) -> None:
    n = len(plan.captions)
    for table in (plan.truth, plan.claims, plan.false_claims):
        assert table.shape == (n, len(world.ATTRIBUTES))
        assert table.dtype == np.int64
    assert plan.sprite.shape == plan.recolor.shape == (n, 4)
    assert plan.slots.shape == (n, 4, 5)
    assert plan.steady.shape == (n,)
    empty = Planner(drawings()).draw(np.zeros(0, dtype=np.float32), np.random.default_rng(0))
    assert empty.truth.shape == (0, 10)
    assert empty.slots.shape == (0, 4, 5)


def test_claims_are_true(plan: Plan) -> None:
    real = plan.truth[:, SUBJECT] < NOTHING
    claims, truth = plan.claims[real], plan.truth[real]
    assert ((claims < 0) | (claims == truth)).all()
    shown = (plan.sprite >= 0).sum(1)
    two = plan.truth[:, SECOND] < NOTHING
    assert (shown[two] == 2).all()
    assert (plan.truth[two, COUNT] == 1).all()
    assert (shown[real & ~two] == plan.truth[real & ~two, COUNT]).all()
    assert (shown[~real] == 0).all()


def test_two_things_lie_as_the_truth_says(plan: Plan) -> None:
    subject = drawings().subject
    rows = np.flatnonzero(plan.truth[:, SECOND] < NOTHING)
    assert 0.06 < len(rows) / len(plan.truth) < 0.10
    gap = plan.slots[rows, 0, :2] - plan.slots[rows, 1, :2]
    for name, axis, sign in (("left", 0, -1), ("right", 0, 1), ("above", 1, -1), ("below", 1, 1)):
        mine = plan.truth[rows, RELATION] == RELATION_NAMES.index(name)
        assert mine.any()
        assert (gap[mine, axis] * sign > 0.6).all(), name
        assert (np.abs(gap[mine, 1 - axis]) < 0.3).all(), name
    for k, column in enumerate((SUBJECT, SECOND)):
        assert (subject[plan.sprite[rows, k]] == plan.truth[rows, column]).all()
    assert (plan.truth[rows, SUBJECT] != plan.truth[rows, SECOND]).all()
    said = plan.claims[rows, RELATION] >= 0
    assert 0.4 < said.mean() < 0.8
    assert plan.steady[rows].all()


def test_sizes_and_places_are_told_of_what_has_them(plan: Plan) -> None:
    x, y, half = plan.slots[:, 0, :3].T
    small, large = plan.truth[:, SIZE] == SMALL, plan.truth[:, SIZE] == LARGE
    assert (half[small] < layouts.SMALL).all()
    assert (half[large] > layouts.LARGE).all()
    assert plan.steady[small | (plan.truth[:, PLACE] >= 0)].all()
    for name, value in (("left", -x), ("right", x), ("top", -y), ("bottom", y)):
        mine = plan.truth[:, PLACE] == PLACE_NAMES.index(name)
        assert mine.sum() > 30
        assert (value[mine] > 0.3).all(), name
    middle = plan.truth[:, PLACE] == CENTER
    assert (np.hypot(x, y)[middle] < 0.15).all()
    for column, least in ((SIZE, 0.03), (PLACE, 0.03)):
        assert least < (plan.claims[:, column] >= 0).mean() < 0.12
    one = plan.truth[:, COUNT] == 1
    inside = np.maximum(np.abs(x), np.abs(y)) + half
    assert (inside[one] < 1.15).all(), "drawings stay in the picture"


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [(0, 0, "center"), (-0.6, 0.1, "left"), (0.5, 0.2, "right"), (0.1, -0.6, "top"),
     (0, 0.5, "bottom"), (0.5, 0.5, None), (0.2, 0, None)],
)  # fmt: skip
def test_places(x: float, y: float, name: str | None) -> None:
    place = layouts.place_of(x, y)
    assert (PLACE_NAMES[place] if place >= 0 else None) == name


def test_shares_of_shapes_and_counts(plan: Plan) -> None:
    shape = np.isin(plan.truth[:, SUBJECT], [SUBJECT_INDEX[n] for n in SHAPES])
    assert 0.22 < shape.mean() < 0.34
    alone = plan.truth[:, SECOND] == NOTHING
    several = (plan.truth[:, COUNT] >= 2) & (plan.truth[:, COUNT] <= 3)
    assert 0.18 < several[shape & alone].mean() < 0.30
    things = (plan.truth[:, SUBJECT] < NOTHING) & ~shape & alone
    assert 0.06 < several[things].mean() < 0.13


def test_things_are_visible_before_plain_colors(plan: Plan) -> None:
    natural = drawings().color
    for k in range(2):
        shown = plan.sprite[:, k] >= 0
        color = np.where(plan.recolor[:, k] >= 0, plan.recolor[:, k], natural[plan.sprite[:, k]])
        assert (color[shown] != plan.ground[shown]).all()


def test_training_never_sees_held_back_drawings(plan: Plan) -> None:
    table = drawings()
    used = plan.sprite[plan.sprite >= 0]
    assert not table.held_back[used].any()
    held = Planner(table, held_back=True).draw(
        np.ones(500, dtype=np.float32), np.random.default_rng(0)
    )
    assert table.held_back[held.sprite[held.sprite >= 0]].any()


def test_false_captions_are_false(plan: Plan) -> None:
    assert all(a != b for a, b in zip(plan.captions, plan.false_captions, strict=True))
    differs = plan.claims != plan.false_claims
    real = plan.truth[:, SUBJECT] < NOTHING
    changed = differs.sum(1)
    assert (changed[real] >= 1).all()
    exchanged = real & (changed > 1)
    assert exchanged.any()
    assert (plan.truth[exchanged, SECOND] < NOTHING).all(), "only two things can exchange"
    pairs = {SUBJECT, SECOND, COLOR, SECOND_COLOR}
    assert set(np.flatnonzero(differs[exchanged].any(0))) == pairs
    for column in (SECOND, RELATION, SECOND_COLOR, SIZE, PLACE):
        assert differs[:, column].any(), world.ATTRIBUTES[column]
    both = plan.false_claims[:, SECOND] >= 0
    assert (plan.false_claims[both, SUBJECT] != plan.false_claims[both, SECOND]).all()


def test_a_relation_is_inverted_or_its_things_exchanged() -> None:
    cat, dog = SUBJECT_INDEX["cat"], SUBJECT_INDEX["dog"]
    said = claim("cat", color=RED, second=dog, relation=ABOVE)
    rng = np.random.default_rng(0)
    wrong = [falsify.change_one(said, u) for u in rng.random((300, falsify.USED)).tolist()]
    turned = [w for w in wrong if w.relation == RELATION_NAMES.index("below")]
    assert turned
    assert all((w.subject, w.second, w.color) == (cat, dog, RED) for w in turned)
    swapped = [w for w in wrong if (w.subject, w.second) == (dog, cat)]
    assert swapped
    assert all((w.relation, w.color, w.second_color) == (ABOVE, -1, RED) for w in swapped)


def test_sprites_are_premultiplied_and_named(rendered: Sprites) -> None:
    textures = rendered.textures
    assert textures.shape[1:] == (6, 64, 64)
    assert textures.min() >= 0
    assert textures.max() <= 1.001
    assert (textures[:, :3] <= textures[:, 3:4] + 1e-4).all()
    assert len(rendered.names) == len(textures) == len(rendered.subject) == len(rendered.source)
    assert set(rendered.source) == {"noto-emoji", "own"}
    assert set(rendered.subject[~rendered.held_back]) == set(range(len(SUBJECTS)))
    apple = rendered.names.index("red apple")
    assert COLOR_NAMES[rendered.color[apple]] in ("red", "orange")


def test_the_font_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEXT2ART_EMOJI_FONT", str(tmp_path / "no.ttf"))
    with pytest.raises(sprites.FontMissingError, match=r"no\.ttf.*\n?.*apt-get install"):
        render_sprites()


def test_the_judge_wants_icon_sets(tmp_path: Path) -> None:
    with pytest.raises(IconsMissingError, match=r"npm install .*@iconify-json/twemoji"):
        render_sprites("judge")
    with pytest.raises(IconsMissingError, match="@iconify-json/twemoji"):
        render_sprites("judge", tmp_path)


def test_guide_and_judge_share_no_drawing() -> None:
    assert not set(icons.ROLE_SETS["guide"]) & set(icons.ROLE_SETS["judge"])
    assert all(name in icons.LICENSES for names in icons.ROLE_SETS.values() for name in names)
    alone = [s.name for s in SUBJECTS if all(d.startswith("*") for d in s.drawings)]
    for name in alone:  # no emoji shows them: each role has its own drawing
        mine, other = draw_shape(name), draw_shape(name, other=True)
        assert mine is not None
        assert other is not None
        assert mine.tobytes() != other.tobytes(), name


def _write_set(folder: Path, name: str, chars: dict[str, str]) -> None:
    package = folder / "node_modules" / "@iconify-json" / name
    package.mkdir(parents=True)
    red = '<path fill="#f00" d="M0 0h4v8H0z"/>'
    data = {
        "icons": {"red-apple": {"body": red}, "gem-stone": {"body": red}},
        "aliases": {"elppa": {"parent": "red-apple", "hFlip": True}},
        "width": 8, "height": 8,
    }  # fmt: skip
    (package / "icons.json").write_text(json.dumps(data))
    (package / "chars.json").write_text(json.dumps(chars))


def test_icons_are_found_by_character_name_and_alias(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    _write_set(tmp_path, "twemoji", {"1f34e": "red-apple", "2602-fe0f": "elppa"})
    _write_set(tmp_path, "noto-v1", {})
    listed, unlisted = IconSet(tmp_path, "twemoji"), IconSet(tmp_path, "noto-v1")
    apple, mirrored = listed.render("🍎"), listed.render("☂")
    assert apple is not None
    assert mirrored is not None
    assert apple.size == (256, 256)
    assert apple.getpixel((20, 100)) == mirrored.getpixel((235, 100)) == (255, 0, 0, 255)
    assert apple.getpixel((235, 100)) == mirrored.getpixel((20, 100)) == (0, 0, 0, 0)
    assert listed.render("🍌") is None
    assert unlisted.find("🍎") == "red-apple"
    assert unlisted.find("☂") == "elppa", "by the name that another set gives it"
    assert unlisted.find("💎") is None, "excluded as unlike"
    assert listed.find("💎") is None


def test_scenes_are_pictures_and_differ() -> None:
    bank = scenes.draw_scenes(0, variants=1)
    assert bank.shape == (len(SCENE_NAMES), 1, 3, 96, 96)
    assert bank.min() >= 0
    assert bank.max() <= 1
    assert torch.equal(bank, scenes.draw_scenes(0, variants=1))
    flat = bank.flatten(1)
    apart = torch.cdist(flat, flat) + 1e9 * torch.eye(len(flat))
    assert apart.min() > 5
