"""The files for putting it on the internet: each is run, or held against the program that it starts."""

from __future__ import annotations

import configparser
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
import yaml
from cast import Owner, Visitor
from feed import eventually
from harness import APP, ROOT, Server, environment
from network import Caddy, Nginx
from test_docs import variables
from test_upgrade import Crowd

AMAZON = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_REGION"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, CHAT_PROXY="1") as running:
        yield running


@pytest.fixture
def caddy(own: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caddy]:
    with Caddy(tmp_path, own.port) as running:
        eventually(running.authority.exists, what="an authority")
        monkeypatch.setenv("SSL_CERT_FILE", str(running.authority))
        eventually(lambda: answers(f"{running.url}/up"), what="a certificate")
        yield running


def answers(url: str) -> bool:
    """Whether anybody is there."""
    try:
        return httpx.get(url, trust_env=True).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def nginx(own: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    paths = (tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "authority.pem")
    issued.cert_chain_pems[0].write_to_path(paths[0])
    issued.private_key_pem.write_to_path(paths[1])
    authority.cert_pem.write_to_path(paths[2])
    monkeypatch.setenv("SSL_CERT_FILE", str(paths[2]))
    with Nginx(tmp_path, own.port, paths[:2]) as running:
        yield running


@pytest.mark.parametrize("name", ["caddy", "nginx"])
def test_the_documented_proxy_carries_everything_by_tls(own: Server, name: str, request: pytest.FixtureRequest) -> None:
    proxy: Caddy | Nginx = request.getfixturevalue(name)
    vera, ann = Visitor(proxy.url).arrive(), Owner(proxy.url).arrive()
    vera.say("hello")
    assert all(cookie.secure for cookie in ann.http.cookies.jar) and len(ann.http.cookies.jar) > 0
    thread = ann.conversation("hello")
    with vera.again().socket() as ws:
        reader = vera.again()
        reader.hear(ws, "hello")
        ann.reply(thread, "good day")
        reader.hear(ws, "good day", timeout=2)
    assert vera.poll(wait=1).status_code == 200 and vera.log.texts() == ["hello", "good day"]
    page = vera.http.get("/w/main")
    assert page.headers["Strict-Transport-Security"] and page.http_version == "HTTP/1.1"
    demo = vera.http.get("/demo").text  # on localhost it takes the widget from the other loopback
    assert f"https://127.0.0.1:{proxy.port}/w/main.js" in demo, "not the scheme and the host that the reader asked for"
    forged = vera.http.get("/w/main", headers={"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.7"})
    assert forged.headers["Strict-Transport-Security"], "a visitor's own header was believed"
    assert "CHAT_PROXY" not in own.output


def test_nginx_sends_http_to_https(nginx: Nginx) -> None:
    answer = httpx.get(f"http://127.0.0.1:{nginx.plain_port}/inbox?a=b", trust_env=False)
    assert answer.status_code == 301 and answer.headers["Location"] == "https://127.0.0.1/inbox?a=b"


def test_behind_caddy_a_restart_shows_nobody_an_error_page(own: Server, caddy: Caddy) -> None:
    crowd = Crowd(own, caddy.url)
    with crowd.talking():
        for _ in range(2):
            time.sleep(0.5)
            own.restart()
    print(f"{len(crowd.said)} messages, {len(crowd.faults)} faults")
    crowd.assert_nobody_noticed()


def test_the_compose_file_fits_the_image_and_the_program() -> None:
    text = (ROOT / "compose.yaml").read_text()
    compose = yaml.safe_load(text)
    chat, front = compose["services"]["chat"], compose["services"]["caddy"]
    assert set(chat["environment"]) <= variables()
    assert chat["env_file"] == [{"path": ".env", "required": False}], "all other settings reach the program"
    assert chat["environment"]["CHAT_URL"].startswith("https://${CHAT_DOMAIN:?")
    image = (ROOT / "Dockerfile").read_text()
    assert chat["volumes"] == ["data:/data"] and "CHAT_DATA=/data" in image and "VOLUME /data" in image
    assert front["environment"]["CHAT_UPSTREAM"] == "chat:8000" and "PORT=8000" in image
    file, _, _ = front["volumes"][0].partition(":")
    assert (ROOT / file).is_file()
    used = {volume.partition(":")[0] for service in (chat, front) for volume in service["volumes"]} - {file}
    assert used == set(compose["volumes"])
    assert set(re.findall(r"\{\$([A-Z_]+)", (ROOT / file).read_text())) == set(front["environment"])


def test_the_settings_for_fly_are_ours() -> None:
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    assert set(fly["env"]) <= variables()
    assert fly["env"]["CHAT_PROXY"] == "fly" and fly["env"]["CHAT_DATA"] == fly["mounts"][0]["destination"]
    assert int(fly["env"]["PORT"]) == fly["http_service"]["internal_port"]


def test_the_unit_starts_what_make_install_made() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "docs" / "deploy" / "porchlight.service")
    service = unit["Service"]
    home = service["WorkingDirectory"]
    guide = (ROOT / "docs" / "deploy.md").read_text()
    assert service["ExecStart"] == f"{home}/.venv/bin/gunicorn wsgi:app" and f"make -C {home} install" in guide
    assert service["EnvironmentFile"] in guide
    set_here = re.findall(r"^Environment=(\w+)=", (ROOT / "docs/deploy/porchlight.service").read_text(), re.M)
    assert set(set_here) - {"PYTHONDONTWRITEBYTECODE"} <= variables()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"CHAT_URL": "http://chat.example"}, True),
        ({"HOST": "0.0.0.0"}, True),
        ({"CHAT_URL": "https://chat.example"}, False),
        ({}, False),
        ({"HOST": "localhost"}, False),
    ],
    ids=lambda value: str(value),
)
def test_the_start_says_when_https_pages_cannot_show_the_chat(
    tmp_path: Path, settings: dict[str, str], said: bool
) -> None:
    env = environment(CHAT_DATA=str(tmp_path), **settings)
    started = subprocess.run([*APP, "prepare"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20)
    assert started.returncode == 0 and "Your tag" in started.stdout
    assert ("pages that are https can't show this chat" in started.stdout) == said
