"""The subjects of the pictures: their names, drawings and synonyms.

A line reads `name: drawings | synonyms | broader`; drawings are emoji (named by `unicodedata`),
`*shape` is one of the procedural drawings in `shapes.py`, and a drawing after `~` is held back from
training for evaluation. `broader` names the subjects whose caption is also true of this one
("bird" of an owl), so that the loss does not treat it as false.
"""

import unicodedata
from dataclasses import dataclass

_SUBJECTS = """
apple: 🍎 🍏
banana: 🍌
cherry: 🍒 | cherries
strawberry: 🍓
pear: 🍐
lemon: 🍋
peach: 🍑
avocado: 🥑
watermelon: 🍉
grapes: 🍇 | bunch of grapes
pineapple: 🍍
carrot: 🥕
tomato: 🍅
eggplant: 🍆 | aubergine
broccoli: 🥦
chili pepper: 🌶 | chili, hot pepper, pepper
corn: 🌽 | maize
mushroom: 🍄 | toadstool
bread: 🍞 | loaf of bread
cheese: 🧀
hamburger: 🍔 | burger, cheeseburger
pizza: 🍕 | slice of pizza
hot dog: 🌭 | hotdog
taco: 🌮
french fries: 🍟 | fries, chips
sushi: 🍣
popcorn: 🍿
donut: 🍩 | doughnut
cake: 🎂 ~🍰 | birthday cake
cookie: 🍪 | biscuit
candy: 🍬 | sweet
lollipop: 🍭
ice cream: 🍦 🍨
egg: 🥚
cup: ☕ 🍵 | cup of coffee, mug
wine glass: 🍷 | glass of wine, wine
bottle: 🍾 | bottle of champagne
cat: 🐱 🐈 😺 😸 ~😻 | kitten, cat face
dog: 🐶 🐕 ~🐩 | puppy, dog face
mouse: 🐭 🐁 ~🐀 | rat
rabbit: 🐰 ~🐇 | bunny
fox: 🦊
bear: 🐻 | teddy bear
koala: 🐨 | koala bear
panda: 🐼 | panda bear
lion: 🦁
tiger: 🐯 ~🐅
zebra: 🦓
giraffe: 🦒
camel: 🐫 ~🐪 | dromedary
kangaroo: 🦘
squirrel: 🐿 | chipmunk
cow: 🐮 ~🐄
pig: 🐷 🐖 ~🐗
frog: 🐸 | toad
monkey: 🐵 🐒 | ape
chicken: 🐔 ~🐓 | hen, rooster | bird
chick: 🐤 🐥 ~🐣 | baby chick | bird
penguin: 🐧 | | bird
bird: 🐦 🕊 | dove
parrot: 🦜 | macaw | bird
eagle: 🦅 | hawk | bird
duck: 🦆 | mallard | bird
owl: 🦉 | | bird
swan: 🦢 | | bird
flamingo: 🦩 | | bird
peacock: 🦚 | | bird
bat: 🦇
wolf: 🐺
horse: 🐴 ~🐎 | pony
unicorn: 🦄
bee: 🐝 | honeybee
butterfly: 🦋
snail: 🐌
ladybug: 🐞 | ladybird, beetle
turtle: 🐢 | tortoise
snake: 🐍 | serpent
lizard: 🦎 | gecko
crocodile: 🐊 | alligator
dragon: 🐲 🐉
dinosaur: 🦕 🦖 | t-rex
whale: 🐳 🐋
dolphin: 🐬
fish: 🐟 🐠 ~🐡
shark: 🦈 | | fish
octopus: 🐙 | squid
crab: 🦀 | lobster
seashell: 🐚 | shell
spider: 🕷
elephant: 🐘
sheep: 🐑 ~🐏 | lamb
tree: 🌳
pine tree: 🌲 ~🎄 | fir tree, christmas tree | tree
palm tree: 🌴 | palm | tree
cactus: 🌵 | cacti
sunflower: 🌻 | | flower
rose: 🌹 ~🥀 | | flower
tulip: 🌷 | | flower
flower: 🌸 🌼 🌺 ~💮 | blossom, daisy
leaf: 🍁 🍃 ~🍂 | leaves
clover: 🍀 | shamrock
sun: ☀ 🌞 *sun
moon: 🌙 🌛 *moon ~🌜 | crescent, crescent moon
star: ⭐ *star *star6 ~🌟
cloud: ☁ *cloud
rainbow: 🌈
lightning: ⚡ *bolt | lightning bolt, thunderbolt
snowflake: ❄
fire: 🔥 | flame, flames
water drop: 💧 *drop | drop, raindrop
mountain: ⛰ 🏔 ~🗻 | mountains, peak
volcano: 🌋
planet: 🪐 ~🌍 | saturn
house: 🏠 🏡 *house | home, cottage
castle: 🏰 ~🏯 | fortress, palace
church: ⛪ | chapel
tower: 🗼
tent: ⛺
ferris wheel: 🎡 | big wheel
lighthouse: *lighthouse
windmill: *windmill
car: 🚗 🚙 ~🚘 | automobile
bus: 🚌 ~🚍
truck: 🚚 🚛 | lorry
fire truck: 🚒 | fire engine
police car: 🚓 ~🚔 | | car
tractor: 🚜
train: 🚂 🚆 ~🚄 | locomotive
bicycle: 🚲 | bike
motorcycle: 🏍 | motorbike
sailboat: ⛵ *sailboat | sailing boat, boat, yacht
ship: 🚢 | steamship
airplane: ✈ 🛩 | plane, aeroplane
rocket: 🚀 *rocket | spaceship, spacecraft
helicopter: 🚁
ufo: 🛸 | flying saucer
anchor: ⚓
balloon: 🎈
umbrella: ☂ ☔ ~🌂 | parasol
key: 🔑 ~🗝
crown: 👑
bell: 🔔
light bulb: 💡 | bulb, lamp
candle: 🕯
book: 📕 📗 ~📘
clock: 🕐 🕓 ~🕗
guitar: 🎸
violin: 🎻 | fiddle
piano: 🎹 | keyboard
drum: 🥁
saxophone: 🎷 | sax
gift: 🎁 | present
camera: 📷 📸
television: 📺 | tv
scissors: ✂ | pair of scissors
hammer: 🔨
sword: 🗡 ~⚔ | dagger
pencil: ✏
backpack: 🎒 | school bag
door: 🚪
chair: 🪑
kite: 🪁
dice: 🎲 | die
hat: 🎩 | top hat
shoe: 👟 | sneaker, running shoe
dress: 👗
t-shirt: 👕 | shirt, tee shirt
glasses: 👓 ~🕶 | eyeglasses, spectacles
trophy: 🏆 | cup trophy
gem: 💎 | jewel
ball: ⚽ 🏀 ~🎾 | soccer ball, football
robot: 🤖
smiley: 😀 🙂 😃 ☺ *smiley ~😊 | smiley face, smiling face, happy face, smile
skull: 💀 ~☠
ghost: 👻 | spirit
alien: 👽 ~👾
snowman: ⛄ ☃ *snowman
pumpkin: 🎃 | jack-o-lantern
eye: 👁
hand: ✋ | palm of a hand
heart: ❤ 💙 *heart ~💚 | love heart
circle: *circle | disc, dot
square: *square | box
triangle: *triangle
diamond: *diamond | rhombus
cross: *cross | plus sign
ring: *ring | hoop
hexagon: *hexagon
arrow: *arrow
spiral: *spiral | swirl
"""

# Subjects that beginners ask for first: drawn twice as often.
_FAVORITES = """
apple, cat, dog, house, castle, sailboat, palm tree, sunflower, cactus, fish, bird, butterfly,
rocket, snowman, mushroom, octopus, penguin, frog, car, tree, moon, sun, mountain, skull, ghost,
hamburger, pizza, smiley, crown, rose, whale, owl, flower, star, heart
"""
# Plain shapes have a share of their own (see plan.py).
SHAPES = (
    "star", "heart", "circle", "square", "triangle", "diamond", "cross", "ring", "hexagon",
    "arrow", "spiral", "moon",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """One nameable thing: its drawings, how it is called and what else it may be called."""

    name: str
    drawings: tuple[str, ...]
    held_back: tuple[str, ...]
    synonyms: tuple[str, ...]
    broader: tuple[str, ...]
    favorite: bool


def drawing_name(drawing: str) -> str:
    """Return a readable name of a drawing, e.g. "cat face" for its emoji."""
    if drawing.startswith("*"):
        return f"our own {drawing[1:]}"
    return " ".join(unicodedata.name(c, hex(ord(c))) for c in drawing).lower()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _parse(line: str) -> Subject:
    name, _, rest = line.partition(":")
    drawings, synonyms, broader = [*rest.split("|"), "", ""][:3]
    marks = drawings.split()
    return Subject(
        name=name,
        drawings=tuple(m for m in marks if not m.startswith("~")),
        held_back=tuple(m[1:] for m in marks if m.startswith("~")),
        synonyms=_names(synonyms),
        broader=_names(broader),
        favorite=name in _names(_FAVORITES),
    )


SUBJECTS: tuple[Subject, ...] = tuple(
    _parse(line) for line in _SUBJECTS.strip().splitlines() if line
)
SUBJECT_INDEX = {subject.name: i for i, subject in enumerate(SUBJECTS)}


def plural(noun: str) -> str:
    """Return the plural of an English noun phrase ("box" -> "boxes")."""
    irregular = {
        "mouse": "mice", "sheep": "sheep", "fish": "fish", "snowman": "snowmen", "wolf": "wolves",
        "leaf": "leaves", "cactus": "cacti", "cacti": "cacti", "leaves": "leaves",
        "grapes": "grapes", "cherries": "cherries", "bread": "breads", "lightning": "lightnings",
        "fire": "fires", "sushi": "sushi", "popcorn": "popcorn", "broccoli": "broccoli",
        "french fries": "french fries", "fries": "fries", "chips": "chips", "dice": "dice",
        "die": "dice", "scissors": "scissors", "glasses": "glasses", "spectacles": "spectacles",
        "eyeglasses": "eyeglasses", "tomato": "tomatoes",
        "mountains": "mountains", "flames": "flames", "goose": "geese",
    }  # fmt: skip
    if noun in irregular:
        return irregular[noun]
    head, of, tail = noun.partition(" of ")
    if of:
        return plural(head) + of + tail
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"
