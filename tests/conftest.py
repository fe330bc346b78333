"""The cast: Vera the visitor, Ann the owner, Mallory who must see nothing, and nobody at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from _pytest.nodeid import NodeId
from cast import Owner, Visitor
from harness import NOTED, NOTES, Server

LOOKS_AFTERWARDS = "test_query_plans"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever looks afterwards comes last, on the worker of those at whom it looks.

    Keep the tests of a group on one worker: pytest-xdist 3.8.0 names the group in `_nodeid`, which pytest 9.2 does
    not read any more, so that each worker made every server of its own (20 servers and a seeded database thrice)."""
    items.sort(key=lambda item: item.path.stem == LOOKS_AFTERWARDS)
    if config.getoption("loadgroup", False):
        for item in items:
            for mark in item.iter_markers("xdist_group"):
                group = LOOKS_AFTERWARDS if item.path.stem in NOTED else mark.args[0]
                item._id = NodeId.parse(f"{item.nodeid}@{group}")  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def notes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the features' servers note what they ask of the database: a file for each module whose tests are over."""
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module", autouse=True)
def _noted(request: pytest.FixtureRequest, notes_folder: Path) -> Iterator[None]:
    name = request.path.stem
    if name not in NOTED or NOTES in os.environ:
        yield
        return
    part = notes_folder / f"{name}.part"
    part.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NOTES, str(part))
        yield
    part.rename(notes_folder / f"{name}.jsonl")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server, for a module of tests; what it logs must hold no traceback."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def vera(server: Server) -> Visitor:
    """A visitor with a token, who has not said anything yet."""
    return Visitor(server.url).arrive()


@pytest.fixture
def mallory(server: Server) -> Visitor:
    """Another visitor, with a token of her own: she must see and change nothing of Vera's."""
    return Visitor(server.url).arrive()


@pytest.fixture(scope="module")
def ann(server: Server) -> Owner:
    """The owner, signed in."""
    return Owner(server.url).arrive()


@pytest.fixture
def nobody(server: Server) -> Iterator[httpx.Client]:
    """No account, no token, no cookie."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(params=["visitor", "owner"])
def end(request: pytest.FixtureRequest, talk: Visitor, ann: Owner) -> Visitor | Owner:
    """One of the two ends of a conversation (the module's `talk`), its log up to date."""
    whose: Visitor | Owner = talk if request.param == "visitor" else ann
    whose.catch_up()
    return whose
