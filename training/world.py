"""What pictures show besides subjects: colors, counts, places, backgrounds; the words for each."""

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.87, 0.10, 0.10),
    "orange": (1.00, 0.55, 0.05),
    "yellow": (1.00, 0.87, 0.10),
    "green": (0.12, 0.65, 0.16),
    "cyan": (0.10, 0.80, 0.85),
    "blue": (0.10, 0.28, 0.90),
    "purple": (0.50, 0.12, 0.66),
    "pink": (1.00, 0.50, 0.72),
    "brown": (0.50, 0.29, 0.12),
    "black": (0.05, 0.05, 0.06),
    "white": (0.97, 0.97, 0.97),
    "gray": (0.52, 0.52, 0.54),
}
COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "red", "red", "scarlet", "crimson"),
    "orange": ("orange",),
    "yellow": ("yellow", "yellow", "yellow", "golden", "gold"),
    "green": ("green", "green", "green", "emerald"),
    "cyan": ("cyan", "turquoise", "teal"),
    "blue": ("blue",),
    "purple": ("purple", "purple", "violet"),
    "pink": ("pink", "pink", "pink", "rosy"),
    "brown": ("brown",),
    "black": ("black",),
    "white": ("white",),
    "gray": ("gray", "grey"),
}
COUNT_WORDS: dict[int, tuple[str, ...]] = {
    1: ("a", "a", "a", "the", "one", "a single", ""),
    2: ("two", "two", "two", "2", "a pair of"),
    3: ("three", "three", "3"),
    4: ("four", "four", "4"),
}

# What the columns of a plan's tables of attributes mean (see plan.py).
ATTRIBUTES = (
    "subject", "color", "count", "background", "style",
    "second", "relation", "second color", "size", "place",
)  # fmt: skip
(
    SUBJECT, COLOR, COUNT, BACKGROUND, STYLE, SECOND, RELATION, SECOND_COLOR, SIZE, PLACE,
) = range(len(ATTRIBUTES))  # fmt: skip

# How the first of two things lies to the second; each pair of neighbors is a pair of opposites.
RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("to the left of", "on the left of", "left of"),
    "right": ("to the right of", "on the right of", "right of"),
    "above": ("above", "above", "over", "on top of"),
    "below": ("below", "under", "under", "beneath", "underneath"),
}
# Where a caption leaves the relation open; the last ones are said of things side by side alone.
JOINING_WORDS = ("and", "and", "and", "with", "near", "next to", "beside", "next to")
UPRIGHT_JOINING = 5 / 8  # the share of them that also suits one thing above another
SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "small": ("small", "small", "tiny", "little"),
    "large": ("big", "big", "large", "huge", "giant"),
}
PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right", "on the right side", "at the right"),
    "top": ("at the top", "at the top", "at the top of the picture", "in the upper part"),
    "bottom": ("at the bottom", "at the bottom", "at the bottom of the picture",
               "in the lower part"),
    "center": ("in the center", "in the middle", "in the centre", "in the middle of the picture"),
}  # fmt: skip

# A scene's phrases follow the subject; its names stand alone ("a sunset").
SCENES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "night": (
        ("at night", "at night", "in the night", "under the night sky", "under the stars",
         "in the dark", "at midnight", "by moonlight"),
        ("night", "the night sky", "a starry night"),
    ),
    "sunset": (
        ("at sunset", "at sunset", "at dusk", "at sunrise", "at dawn", "in the sunset",
         "in the evening"),
        ("a sunset", "sunset", "a sunrise"),
    ),
    "field": (
        ("in a field", "in a green field", "in a meadow", "on the grass", "on a hill",
         "in the grass", "in the garden", "in the countryside", "in a park"),
        ("a green field", "a meadow", "a grassy field"),
    ),
    "sea": (
        ("on the sea", "in the sea", "on the water", "in the ocean", "on the ocean", "at sea",
         "on a lake", "in the water", "on the waves"),
        ("the sea", "the ocean", "a lake"),
    ),
    "underwater": (
        ("in the sea", "under the sea", "underwater", "in the deep sea", "in the ocean",
         "under water", "in the water"),
        ("the deep sea", "under the sea", "underwater"),
    ),
    "snow": (
        ("in the snow", "in the snow", "on the snow", "in winter", "on the ice",
         "in a snowy landscape"),
        ("snow", "a snowy landscape", "winter"),
    ),
    "desert": (
        ("in the desert", "in a desert", "on the sand", "in the dunes"),
        ("a desert", "the desert", "sand dunes"),
    ),
    "space": (
        ("in space", "in outer space", "among the stars", "in the galaxy", "in the cosmos"),
        ("outer space", "space", "a galaxy"),
    ),
    "sky": (
        ("in the sky", "in the blue sky", "in the clouds", "in the air", "above the clouds"),
        ("the sky", "a blue sky", "clouds in the sky"),
    ),
    "forest": (
        ("in the forest", "in a forest", "in the woods", "in the jungle", "among the trees"),
        ("a forest", "the woods", "the forest"),
    ),
    "city": (
        ("in the city", "in a city", "in the street", "in town", "over the city"),
        ("a city", "a city skyline", "a town"),
    ),
    "beach": (
        ("on the beach", "at the beach", "on the shore", "by the sea", "on an island"),
        ("a beach", "the beach", "the seaside"),
    ),
    "mountains": (
        ("in the mountains", "in the mountains", "among the mountains", "in the alps",
         "in front of the mountains", "by the mountains"),
        ("a mountain range", "snowy mountains", "a mountain landscape"),
    ),
    "room": (
        ("in a room", "indoors", "at home", "in the house", "in the living room", "on the floor"),
        ("a room", "an empty room", "a living room"),
    ),
    "rain": (
        ("in the rain", "in the rain", "on a rainy day", "in a storm", "in the pouring rain"),
        ("rain", "a rainy day", "heavy rain"),
    ),
}  # fmt: skip
PLAIN_WORDS = (
    "on a {} background", "on a {} background", "on a {} background", "on {}",
    "with a {} background", ", {} background", "in front of a {} background",
    "against a {} background", "on a plain {} background",
)  # fmt: skip

# Styles: ways to say it around the phrase {}.
STYLES: dict[str, tuple[str, ...]] = {
    "pixelart": ("{} #pixelart", "{} #pixelart", "pixel art of {}", "{}, pixel art", "{} pixelart",
                 "8-bit {}", "a pixel art {}", "{} in pixel art style"),
    "watercolor": ("{}, watercolor", "a watercolor painting of {}", "a watercolor of {}",
                   "{} #watercolor", "{} in watercolor", "{} watercolour"),
    "sketch": ("a pencil sketch of {}", "a sketch of {}", "{}, pencil drawing", "{} #sketch",
               "a pencil drawing of {}", "{}, sketch"),
    "neon": ("a neon {}", "{}, neon", "{} in neon lights", "a neon sign of {}", "{} #neon"),
    "oil": ("an oil painting of {}", "{}, oil painting", "{}, oil on canvas", "{} in oil paint",
            "an impressionist painting of {}"),
    "bw": ("{}, black and white", "a black and white photo of {}", "{} in black and white",
           "a monochrome {}", "a black and white picture of {}"),
    "lowpoly": ("a low poly {}", "{}, low poly", "{} #lowpoly", "{} made of polygons",
                "a stained glass {}"),
    "vintage": ("a vintage photo of {}", "{}, vintage", "an old photo of {}", "{} in sepia",
                "a sepia photo of {}"),
    "blurry": ("a blurry photo of {}", "{}, blurry", "{} out of focus", "a blurred {}"),
}  # fmt: skip
ANY_STYLE = (
    "a picture of {}", "a photo of {}", "an image of {}", "a drawing of {}", "a painting of {}",
    "painting of {}", "an illustration of {}", "{} artwork", "art of {}", "a beautiful {}",
    "an emoji of {}", "a clipart of {}", "{}, digital art", "a cartoon of {}", "a nice {}",
    "a cute {}", "a render of {}", "{} icon",
)  # fmt: skip
NOISE_WORDS = (
    "random noise", "noise", "abstract blobs", "static", "a random pattern", "abstract noise",
    "abstract art", "an abstract pattern", "messy colors", "colorful noise", "a mess", "nothing",
)  # fmt: skip

COLOR_NAMES = tuple(COLORS)
SCENE_NAMES = tuple(SCENES)
STYLE_NAMES = ("none", *STYLES)
RELATION_NAMES = tuple(RELATION_WORDS)
SIZE_NAMES = tuple(SIZE_WORDS)
PLACE_NAMES = tuple(PLACE_WORDS)
CENTER = PLACE_NAMES.index("center")
PLAINS = len(COLOR_NAMES)  # backgrounds are numbered: plain colors, then scenes, then "other"
BACKGROUND_NAMES = (*COLOR_NAMES, *SCENE_NAMES)
OTHER_BACKGROUND = len(BACKGROUND_NAMES)
MAX_COUNT = 4

# Backgrounds that a fair eye may take for one another: never used as negatives of each other.
_ALIKE = (
    "white snow, black night, black space, night space, blue sky, blue sea, blue underwater, "
    "cyan sky, cyan sea, green field, green forest, sea underwater, sea beach, desert beach, "
    "sunset orange, night city, field sky, sea sky, beach sky, snow sky, desert sky, city sky, "
    "cyan underwater, yellow desert, forest field, mountains snow, mountains field, mountains sky, "
    "gray rain, rain snow, rain mountains, orange room, brown room, orange desert"
)
BACKGROUNDS_ALIKE = tuple(
    (BACKGROUND_NAMES.index(a), BACKGROUND_NAMES.index(b))
    for a, b in (pair.split() for pair in _ALIKE.split(", "))
)
