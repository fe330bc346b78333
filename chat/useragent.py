"""A browser's user agent in two words, for the owner to read."""

import re

_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Samsung Internet", r"SamsungBrowser/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chrome", r"(?:Chrome|CriOS)/(\d+)"),
    ("Safari", r"Version/(\d+)[\d.]* (?:Mobile/\w+ )?Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac", "Mac OS X"),
    ("Linux", "Linux"),
)


def describe(user_agent: str) -> str:
    """`Firefox 145 on Windows`; as much of it as can be told, empty when nothing can."""
    browser = next(
        (f"{name} {match[1]}" for name, pattern in _BROWSERS if (match := re.search(pattern, user_agent))), ""
    )
    system = next((name for name, sign in _SYSTEMS if sign in user_agent), "")
    return " on ".join(part for part in (browser, system) if part)
