"""Imports run one way, SQL stands in the domain, and the domain knows no Flask."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAT = ROOT / "chat"
MODULES = sorted(CHAT.rglob("*.py"))

LAYERS = [
    {"languages"},
    {"config", "clock", "text", "limits", "useragent", "folder", "logs", "metrics", "bell", "colleagues", "outbound"},
    {"colours", "dates", "masking", "own_css"},
    {"db", "migrations", "letters"},
    {"copies", "snapshots"},
    {"archives", "restores", "exports", "schema", "sites", "events", "states", "health", "keys"},
    {"people", "pictures", "own_texts"},
    {"looks"},
    {"conversations"},
    {"messages", "accounts", "deliveries", "files", "options", "duty", "records"},
    {"outbox"},
    {"porch"},
    {"channels", "presence", "fragments", "seeds"},
    {"batches"},
    {"streams"},
    {"live"},
    {"readers", "socket"},
    {"parking", "descriptor"},
    {"doctor"},
    {"web"},
    {"features"},
    {"replica", "rescue"},
    {"server", "upgrade", "worker"},
    {"commands"},
    {"cli"},
]
"""Lowest first: a module imports from its own layer or lower ones only."""
WITH_FLASK = {"socket", "web", "features"}
WITHOUT_SQL = {"web", "fragments", "batches", "live", "streams", "socket", "readers", "cli", "commands", "server"}
WITHOUT_SQL |= {"upgrade", "worker"}


def layer_of(module: str) -> int:
    return next(level for level, names in enumerate(LAYERS) if module in names)


def name_of(path: Path) -> str:
    return path.relative_to(CHAT).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """The modules of chat, and the packages, that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CHAT)))
def test_a_module_imports_only_from_its_own_layer_or_lower_ones(path: Path) -> None:
    if path.name == "__init__.py" and path.parent == CHAT:
        return
    mine = layer_of(name_of(path))
    used = {
        name.split(".")[1] for name in imports(path) if name.startswith("chat.") and name.split(".")[1] != "__version__"
    }
    above = {name for name in used if layer_of(name) > mine}
    assert not above, f"{path.name} reaches up to {above}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CHAT)))
def test_only_the_web_and_the_renderer_know_flask(path: Path) -> None:
    if name_of(path) not in WITH_FLASK:
        assert not {name for name in imports(path) if name.split(".")[0] in ("flask", "flask_sock", "htmx_flask")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CHAT)))
def test_sql_stands_in_the_domain(path: Path) -> None:
    if name_of(path) not in WITHOUT_SQL:
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "execute"]


def test_no_template_has_inline_scripts_styles_or_handlers() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert " style=" not in text and "javascript:" not in text, path
        assert "<script>" not in text and not [
            word for word in text.split() if word.startswith(("onclick=", "onload="))
        ], path
