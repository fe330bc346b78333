"""The docs say what the program does today."""

import re
from pathlib import Path

import pytest

from app import create_app
from chat import config, schema
from chat.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()


def variables() -> set[str]:
    """The environment variables that config.py reads."""
    source = (ROOT / "chat" / "config.py").read_text()
    return set(re.findall(r'env(?:\.get\(|, )"([A-Z_]+)"', source)) - {"FLY_APP_NAME"}


def test_every_setting_stands_in_the_readme_and_no_other() -> None:
    assert len(variables()) >= 9
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    assert set(re.findall(r"`((?:CHAT|WEB)_[A-Z_]+|PORT|HOST)`", table)) == variables()


def test_every_visitor_route_stands_in_the_api_page(tmp_path: Path) -> None:
    schema.prepare(tmp_path / "chat.sqlite")
    app = create_app(config.load({"CHAT_DATA": str(tmp_path)}))
    rules = {
        re.sub(r"<(?:\w+:)?\w+>", "<site>", rule.rule) for rule in app.url_map.iter_rules() if "/w/<key>" in rule.rule
    }
    assert len(rules) >= 6
    said = API.replace("/w/main", "/w/<site>").replace("$CHAT", "")
    embed = (ROOT / "docs" / "embed.md").read_text().replace("/w/main", "/w/<site>")
    assert not {rule for rule in rules if rule not in said + embed}


def test_every_verb_stands_in_the_readme() -> None:
    verbs = {name for name, command in main.commands.items() if not command.hidden}
    assert verbs
    assert not {verb for verb in verbs if verb not in README}


@pytest.mark.parametrize("doc", PAGES, ids=lambda doc: doc.name)
def test_links_and_pictures_lead_somewhere(doc: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", doc.read_text()):
        assert target.startswith("https://") or (doc.parent / target).exists(), f"{doc.name} links to {target}"


@pytest.mark.parametrize("doc", PAGES, ids=lambda doc: doc.name)
def test_what_the_docs_say_about_files_and_commands_is_there(doc: Path) -> None:
    text = doc.read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.M):
        assert f"\n{target}:" in (ROOT / "Makefile").read_text(), f"{doc.name}: make {target}"
