"""What the sample shop sells."""

from typing import TypedDict


class Product(TypedDict):
    """One thing on the shelf. `hue` names a ground colour in demo.css."""

    key: str
    name: str
    price: str
    blurb: str
    hue: str
    facts: list[tuple[str, str]]


PRODUCTS: list[Product] = [
    {
        "key": "boston-fern",
        "name": "Boston fern",
        "price": "£24",
        "blurb": (
            "A generous fern for a bright bathroom or a north-facing sill. "
            "It drinks a little every few days and forgives a missed one."
        ),
        "hue": "clay",
        "facts": [
            ("Size", "45 cm tall, in a 14 cm pot"),
            ("Light", "Bright, out of direct sun"),
            ("Water", "When the top of the soil feels dry"),
            ("Pets", "Safe for cats and dogs"),
        ],
    },
    {
        "key": "long-tom-pots",
        "name": "Long Tom pots, set of three",
        "price": "£38",
        "blurb": (
            "Tall, narrow pots thrown in our own workshop from Devon clay. Frost-proof, with a drainage hole in each."
        ),
        "hue": "sage",
        "facts": [
            ("Size", "12, 18 and 24 cm tall"),
            ("Material", "Unglazed terracotta"),
            ("Outdoors", "All year round"),
            ("Saucers", "Sold with the set"),
        ],
    },
    {
        "key": "coin-plant",
        "name": "Coin plant",
        "price": "£19",
        "blurb": (
            "Round leaves that turn to follow the window. "
            "It makes small plants of its own, so there is always one to give away."
        ),
        "hue": "sand",
        "facts": [
            ("Size", "25 cm tall, in a 12 cm pot"),
            ("Light", "Bright, turned once a week"),
            ("Water", "About once a week"),
            ("Pets", "Safe for cats and dogs"),
        ],
    },
    {
        "key": "watering-can",
        "name": "Indoor watering can",
        "price": "£29",
        "blurb": (
            "One litre of enamelled steel with a long spout that reaches the back of the shelf. "
            "It pours slowly and does not drip."
        ),
        "hue": "sky",
        "facts": [
            ("Holds", "1 litre"),
            ("Material", "Enamelled steel"),
            ("Spout", "22 cm"),
            ("Care", "Empty it before a frost"),
        ],
    },
    {
        "key": "hanging-planter",
        "name": "Hanging planter",
        "price": "£34",
        "blurb": (
            "A stoneware bowl on three cotton cords, planted with a trailing heart-leaf. "
            "Good where the floor is already full."
        ),
        "hue": "moss",
        "facts": [
            ("Size", "20 cm wide, cords 60 cm"),
            ("Weight", "2.4 kg when watered"),
            ("Light", "Medium to bright"),
            ("Pets", "Hang it out of reach: the leaves are not safe to eat"),
        ],
    },
    {
        "key": "snake-plant",
        "name": "Snake plant",
        "price": "£27",
        "blurb": ("The one to start with. It stands happily in a dim hallway and wants water once every three weeks."),
        "hue": "rose",
        "facts": [
            ("Size", "55 cm tall, in a 15 cm pot"),
            ("Light", "Anything but full shade"),
            ("Water", "Every three weeks, less in winter"),
            ("Pets", "Keep it away from cats and dogs"),
        ],
    },
]
