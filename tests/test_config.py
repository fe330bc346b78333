"""Settings: each has a default, and a wrong one is named in one line."""

import pytest

from chat import config
from chat.config import BadSetting


def test_without_any_setting_everything_has_a_default() -> None:
    settings = config.load({})
    assert (settings.port, settings.host, settings.workers, settings.limits) == (8000, "localhost", 1, True)
    assert settings.database == config.ROOT / "data" / "chat.sqlite"
    assert settings.proxies == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "٨٠"), ("CHAT_PROXY", "maybe"),
        ("WEB_CONCURRENCY", "0"), ("CHAT_PROXY", "-1"), ("CHAT_LIMITS", "maybe"), ("CHAT_URL", "chat.example"),
        ("CHAT_URL", "https://a.example/path"), ("CHAT_STATIC_URL", "https://cdn.example"), ("CHAT_STATIC_URL", "cdn"),
        ("CHAT_OWNER_EMAIL", "ann@example.com"), ("CHAT_OWNER_PASSWORD", "a long password"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        config.load({name: value})
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_fly_counts_as_one_proxy() -> None:
    assert config.load({"CHAT_PROXY": "fly"}).proxies == 1
    assert config.load({"CHAT_PROXY": "2"}).proxies == 2


def test_the_public_address_wins_over_the_local_one() -> None:
    assert config.load({"CHAT_URL": "https://chat.example/"}).local_url == "https://chat.example"
    assert config.load({"PORT": "9000"}).local_url == "http://localhost:9000"
