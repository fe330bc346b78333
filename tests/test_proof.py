"""Proof of work: a flood of strangers is held, a real visitor gets in by computing, and no solution is good twice."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dom
import httpx
import pytest
from cast import Visitor
from harness import Server
from strangers import asked_in, packed, solved, stranger

from chat.features.spam import proof
from chat.features.spam.proof import Asked, Proofs
from chat.people import Visitor as Claim
from chat.sites import Site

pytestmark = pytest.mark.xdist_group("proof")
SHOP, OTHER = Site(1, "main", "Chat", ()), Site(2, "other", "Other", ())
VERA, MALLORY = Claim(SHOP, "vera", "a" * 64), Claim(SHOP, "mallory", "b" * 64)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With limits, and a proxy in front whose word is taken for addresses."""
    with Server(tmp_path_factory.mktemp("proof"), CHAT_LIMITS="on", CHAT_PROXY="1") as running:
        yield running


def visitor(server: Server, address: str) -> Visitor:
    return Visitor(server.url, headers={"X-Forwarded-For": address}).arrive()


def test_a_flood_is_held_while_a_real_visitor_gets_in_and_who_is_known_is_not_asked(server: Server) -> None:
    before = visitor(server, "198.51.100.1")
    before.say("I was here before the flood")
    line = httpx.Client(base_url=server.url, trust_env=False, timeout=60)

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda number: stranger(line, number), range(300)))
    assert set(codes) == {200, 429} and 140 < codes.count(200) < 170
    before.say("and I go on")

    def flood_on(number: int) -> None:
        """Whatever may begin without a proof by now, strangers take."""
        while stranger(line, number := number + 1) == 200:
            pass

    vera, key = visitor(server, "198.51.100.2"), str(uuid.uuid4())
    flood_on(1000)
    proof_of_vera = solved(asked_in(vera.post("I am real", key)))
    mallory = visitor(server, "198.51.100.3")
    flood_on(2000)
    assert mallory.post("with another's work", proof=proof_of_vera).status_code == 429
    assert vera.post("I am real", key, proof=proof_of_vera).status_code == 200
    assert vera.again().catch_up().texts() == ["I am real"]
    vera.say("and I am known now")
    assert mallory.again().catch_up().texts() == []
    flood_on(3000)
    plain = mallory.http.post(
        "/c/main", data={"body": "without a script", "client_id": str(uuid.uuid4()), "token": mallory.token}
    )
    assert plain.status_code == 429 and "Try again in" in dom.parse(plain.text).first(id="composer-error").text
    assert "data-challenge" not in plain.text and "without a script" in plain.text


def test_one_address_alone_is_asked_and_takes_nothing_from_the_others() -> None:
    proofs = Proofs(b"secret", enabled=True)
    for _ in range(proof.FROM_ADDRESS):
        proofs.ask(MALLORY, "192.0.2.1", "")
    for _ in range(500):
        with pytest.raises(Asked):
            proofs.ask(MALLORY, "192.0.2.1", "")
    proofs.ask(VERA, "192.0.2.2", "")


def test_a_solution_is_good_for_its_visitor_at_its_site_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = Proofs(b"secret", enabled=True)
    good = solved(proofs.challenge(VERA))
    assert proofs.proves(VERA, good)
    assert not proofs.proves(MALLORY, good)
    assert not proofs.proves(Claim(OTHER, "vera", VERA.token_hash), good)
    assert not Proofs(b"another installation", enabled=True).proves(VERA, good)
    began = time.perf_counter()
    for _ in range(100):
        proofs.proves(VERA, good)
    assert time.perf_counter() - began < 0.1, "over a millisecond each"
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda: now + 301)
        assert not proofs.proves(VERA, good)
    monkeypatch.setattr(proof, "MOST", 1000)
    weak = solved(proofs.challenge(VERA))
    assert proofs.proves(VERA, weak)
    monkeypatch.undo()
    assert not proofs.proves(VERA, weak)


def test_what_is_made_up_is_refused() -> None:
    proofs = Proofs(b"secret", enabled=True)
    good = json.loads(base64.b64decode(solved(proofs.challenge(VERA))))
    salt = good["salt"].partition("?")[0] + "?expires=9999999999&" + good["salt"].partition("&")[2]
    easy = hashlib.sha256(f"{salt}1".encode()).hexdigest()
    made_up = [
        {**good, "number": good["number"] + 1},
        {**good, "number": str(good["number"])},
        {**good, "number": True},
        {**good, "salt": salt, "number": 1, "challenge": easy},
        {**good, "salt": good["salt"].replace("expires", "expired")},
        {**good, "salt": None},
        {**good, "algorithm": "SHA-1"},
        {**good, "signature": ""},
        {},
    ]
    assert not [each for each in made_up if proofs.proves(VERA, packed(each))]
    others = ("", "x", "é", "W10=", base64.b64encode(b"[" * 700).decode(), base64.b64encode(b"\xff").decode())
    assert not [each for each in others if proofs.proves(VERA, each)]
