"""The doctor: on the command line and on the page, with real proxies that are wrong in the ways that proxies are."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dom
import httpx
import pytest
import trustme
from cast import Owner, Visitor
from harness import APP, ROOT, Server, environment
from itsdangerous import URLSafeTimedSerializer
from network import DOCUMENTED, Nginx

from chat import clock, config
from chat.doctor import Finding, advice, doors, public, tickets

AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that expects one proxy, as the documentation says."""
    with Server(tmp_path_factory.mktemp("behind"), CHAT_PROXY="1") as running:
        yield running


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our authority is one that browsers trust."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


class Edited(Nginx):
    """The documented nginx with TLS, after somebody's changes: (what stood there, what stands there now)."""

    def __init__(self, folder: Path, upstream: int, *changes: tuple[str, str], days: float = 90) -> None:
        issued = AUTHORITY.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=days))
        paths = (folder / "chain.pem", folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(paths[0])
        issued.private_key_pem.write_to_path(paths[1])
        super().__init__(folder, upstream, paths)
        self._changes = changes

    def _site(self) -> str:
        text = super()._site()
        for old, new in self._changes:
            assert re.search(old, text), f"nothing to change: {old}"
            text = re.sub(old, new, text)
        return text


def added(line: str) -> tuple[str, str]:
    """A line more in `location /`."""
    return r"proxy_send_timeout 75s;", f"proxy_send_timeout 75s; {line}"


def look(server: Server, url: str) -> dict[str, Finding]:
    """What the doctor finds at that address, by the names of its checks."""
    settings = config.load({name: value for name, value in server.settings.items() if value is not None})
    return {check.name: check.finding for check in public.checks(doors.of(settings, url))}


def ill(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: found.state for name, found in findings.items() if found.state != "ok"}


def lines(found: Finding) -> str:
    return "\n".join(each.text for each in found.lines)


def check(server: Server, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`python app.py check` in the server's environment."""
    env = environment(**{**server.settings, **settings})
    done = subprocess.run([*APP, "check", *options], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def test_behind_the_documented_nginx_with_tls_all_is_well(behind: Server, tmp_path: Path) -> None:
    with Edited(tmp_path, behind.port) as nginx:
        done = check(behind, CHAT_URL=nginx.url)
    assert done.returncode == 0 and "All is well." in done.stdout, done.stdout
    for said in ("through nginx", "CHAT_PROXY=1 fits: https", "good until", "Let through", "answers come through"):
        assert said in done.stdout, done.stdout


def test_each_fault_of_a_proxy_is_named_with_the_lines_that_mend_it(behind: Server, tmp_path: Path) -> None:
    changes = (
        (r"proxy_set_header (Upgrade|Connection) .*", ""),
        (r"proxy_buffering    off;", "proxy_buffering on;"),
        added("proxy_hide_header Strict-Transport-Security; add_header X-Frame-Options SAMEORIGIN always;"),
    )
    with Edited(tmp_path, behind.port, *changes) as nginx:
        found = look(behind, nginx.url)
    assert ill(found) == {
        "Encryption": "problem",
        "Held back": "warning",
        "WebSocket": "problem",
        "Headers": "problem",
        "Frame of main": "problem",
    }
    assert "proxy_set_header Upgrade    $http_upgrade;" in lines(found["WebSocket"])
    assert lines(found["Held back"]) == "proxy_buffering off;", "nginx is there, so no line for Caddy"
    assert "X-Frame-Options" in lines(found["Frame of main"])
    assert "HSTS" in found["Encryption"].what


def test_a_proxy_that_does_not_say_what_it_was_asked_for_gets_the_lines_for_that(
    behind: Server, tmp_path: Path
) -> None:
    with Edited(tmp_path, behind.port, (r"proxy_set_header (Host|X-Forwarded-(Host|Proto)) .*", "")) as nginx:
        found = look(behind, nginx.url)
    assert ill(found).keys() >= {"Proxy", "Encryption", "WebSocket"}
    assert "scheme 'http' instead of 'https'" in found["Proxy"].what
    assert "X-Forwarded-Proto $scheme;" in lines(found["Proxy"]) and "refused it (403)" in found["WebSocket"].what


def test_a_proxy_with_nothing_but_its_address_gets_all_the_lines_and_with_them_all_is_well(
    behind: Server, tmp_path: Path
) -> None:
    bare = (r"proxy_(?!pass)\w+ [^;]+;", "")
    with Edited(tmp_path, behind.port, bare) as nginx:
        found = look(behind, nginx.url)
    assert ill(found).keys() >= {"Proxy", "Held back", "WebSocket"}
    assert "Upgrade" in lines(found["WebSocket"]), "a handshake that nobody passed on is not excused by a wrong host"
    told = [each for name in ("Proxy", "Held back", "WebSocket") for each in found[name].lines]
    given = "\n".join(each.text for each in told if each.place == advice.NGINX)
    (tmp_path / "mended").mkdir()
    with Edited(tmp_path / "mended", behind.port, bare, (r"(proxy_pass .*;)", rf"\1\n{given}")) as nginx:
        assert not ill(look(behind, nginx.url))


def test_policies_that_a_proxy_takes_away_or_adds_are_found(behind: Server, tmp_path: Path) -> None:
    second = added("add_header Content-Security-Policy \"frame-ancestors 'self'\" always;")
    with Edited(tmp_path, behind.port, second) as nginx:
        found = look(behind, nginx.url)
    assert ill(found) == {"Headers": "problem", "Frame of main": "problem"}
    (tmp_path / "hidden").mkdir()
    with Edited(tmp_path / "hidden", behind.port, added("proxy_hide_header Content-Security-Policy;")) as nginx:
        found = look(behind, nginx.url)
    assert ill(found) == {"Headers": "problem", "Frame of main": "problem"}


def test_the_lines_against_an_inherited_header_keep_it_away(behind: Server, tmp_path: Path) -> None:
    everywhere = (r"(listen 127.*ssl http2;)", r"\1 add_header X-Frame-Options SAMEORIGIN always;")
    with Edited(tmp_path, behind.port, everywhere) as nginx:
        found = look(behind, nginx.url)
    mended = added(lines(found["Frame of main"]) + "\n")
    (tmp_path / "mended").mkdir()
    with Edited(tmp_path / "mended", behind.port, everywhere, mended) as nginx:
        assert not ill(look(behind, nginx.url))


def test_a_proxy_without_patience_is_found(behind: Server, tmp_path: Path) -> None:
    with Edited(tmp_path, behind.port, (r"proxy_read_timeout 75s;", "proxy_read_timeout 300ms;")) as nginx:
        found = look(behind, nginx.url)
    assert found["Long poll"].state == "problem" and "proxy_read_timeout 75s;" in lines(found["Long poll"])


def test_a_site_that_may_be_framed_by_some_is_looked_at_with_its_own_list(behind: Server, tmp_path: Path) -> None:
    with closing(sqlite3.connect(behind.data / "chat.sqlite")) as db, db:
        db.execute("UPDATE sites SET domains = 'https://shop.example https://www.shop.example'")
    try:
        with Edited(tmp_path, behind.port) as nginx:
            found = look(behind, nginx.url)
    finally:
        with closing(sqlite3.connect(behind.data / "chat.sqlite")) as db, db:
            db.execute("UPDATE sites SET domains = ''")
    assert not ill(found)
    assert "https://www.shop.example" in found["Frame of main"].what


def test_a_proxy_that_nobody_named_and_one_that_is_not_there_are_told_with_the_right_number(tmp_path: Path) -> None:
    with Server(tmp_path, CHAT_PROXY="none") as server, Nginx(tmp_path, server.port) as nginx:
        server.settings["CHAT_URL"] = nginx.url
        done = check(server)
        assert done.returncode == 1 and "Set CHAT_PROXY=1" in done.stdout, done.stdout
        server.settings["CHAT_PROXY"] = "2"
        server.restart()
        found = look(server, nginx.url)
        assert "anybody can forge" in found["Proxy"].what and "CHAT_PROXY=1," in found["Proxy"].do


def test_certificates_that_end_soon_or_are_not_trusted_are_told(behind: Server, tmp_path: Path) -> None:
    with Edited(tmp_path, behind.port, days=9.5) as nginx:
        found = look(behind, nginx.url)
        assert ill(found) == {"Encryption": "warning"} and "ends in 9 days" in found["Encryption"].what
        assert ill(look(behind, nginx.url.replace("localhost", "127.0.0.1"))) == {"Address": "problem"}
    with Edited(tmp_path, behind.port, days=-1) as nginx:
        shut = look(behind, nginx.url)
    assert list(shut) == ["Address"] and "certificate" in shut["Address"].what


def test_a_door_that_leads_nowhere_or_elsewhere_is_told_and_nothing_more_is_tried(
    behind: Server, tmp_path: Path
) -> None:
    with Server(tmp_path) as other:
        assert "is not this server" in look(behind, other.url)["Address"].what
        with Edited(tmp_path, 1) as nginx:
            found = look(behind, nginx.url)
            assert list(found) == ["Address"] and "answers 502" in found["Address"].what
    assert "can't be reached" in look(behind, other.url)["Address"].what


def test_the_lines_for_nginx_are_those_of_the_documented_file() -> None:
    squeezed = re.sub(r"\s+", " ", re.sub(r"#.*", "", (DOCUMENTED / "nginx.conf").read_text()))
    for each in (*advice.FORWARDED, *advice.UPGRADE, *advice.UNBUFFERED, *advice.PATIENT, *advice.TO_HTTPS):
        if each.place.startswith("nginx"):
            assert re.sub(r"\s+", " ", each.text) in squeezed


def test_the_probe_answers_nobody_without_a_fresh_ticket_of_ours(behind: Server) -> None:
    with closing(sqlite3.connect(behind.data / "chat.sqlite")) as db:
        secret = db.execute("SELECT value FROM secrets WHERE name = 'signing'").fetchone()[0]

    class Yesterday(URLSafeTimedSerializer):
        class default_signer(URLSafeTimedSerializer.default_signer):  # type: ignore[misc,name-defined]
            def get_timestamp(self) -> int:
                return int(super().get_timestamp()) - tickets.VALID - 5

    old = str(Yesterday(secret, salt="probe").dumps("look"))
    token = str(URLSafeTimedSerializer(secret, salt="visitor").dumps("look"))
    for ticket in ("x", old, token, tickets.issue(b"another installation's")):
        answer = httpx.get(f"{behind.url}/up/probe", headers={"Authorization": f"Bearer {ticket}"}, trust_env=False)
        assert answer.status_code == 404, ticket
    headers = {"Authorization": f"Bearer {tickets.issue(secret)}"}
    assert httpx.get(f"{behind.url}/up/probe", headers=headers, trust_env=False).status_code == 200


def test_without_data_without_server_and_with_a_wrong_address_it_says_so(tmp_path: Path) -> None:
    server = Server(tmp_path)
    nothing = check(server)
    assert nothing.returncode == 1 and "There is no database" in nothing.stdout and "1 problem." in nothing.stdout
    assert not server.data.exists(), "a look makes nothing"
    with server:
        Visitor(server.url).arrive().say("hello")
    before = {path: path.read_bytes() for path in server.data.rglob("*") if path.is_file()}
    stopped = check(server)
    assert stopped.returncode == 0 and "is not running here" in stopped.stdout, stopped.stdout
    after = {path: path.read_bytes() for path in server.data.rglob("*") if path.is_file()}
    assert after == before, "with sudo, a file made now would shut the server out"
    wrong = check(server, "--url", "ftp://chat.example")
    assert wrong.returncode == 1 and wrong.stderr.startswith("Porchlight can't do that: --url is")


def test_data_that_are_damaged_newer_or_from_the_future_are_told(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        Visitor(server.url).arrive().say("hello")
    file = server.data / "chat.sqlite"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE events SET created_at = ?", [clock.now(3600)])
        new = "SELECT migration_set, 'm999_future', applied_at FROM _sqlite_migrations LIMIT 1"
        db.execute(f"INSERT INTO _sqlite_migrations (migration_set, name, applied_at) {new}")
    server.data.chmod(0o755)
    told = check(server).stdout
    for said in ("from the future", "m999_future", "can look into the data folder"):
        assert said in told, told
    pages = bytearray(file.read_bytes())
    pages[4096 * 3 :] = b"\x17" * len(pages[4096 * 3 :])
    file.write_bytes(pages)
    damaged = check(server)
    assert damaged.returncode == 1 and re.search(r"damaged|can't be read", damaged.stdout), damaged.stdout


def test_the_page_runs_the_same_checks_by_a_plain_form(tmp_path: Path) -> None:
    server = Server(tmp_path, CHAT_PROXY="1")
    nginx = Edited(tmp_path, server.port, added("add_header X-Frame-Options DENY always;"))
    server.settings["CHAT_URL"] = nginx.url
    with server, nginx, httpx.Client(base_url=nginx.url, timeout=30) as browser:
        said = answer_of_the_page(browser, nginx.url)
    assert "The proxy adds X-Frame-Options: DENY." in said
    assert said.count("Good") >= 10 and "2 problems. The rest is well." in said


def answer_of_the_page(browser: httpx.Client, url: str) -> str:
    ann = Owner(url)
    ann.http = browser
    ann.arrive()
    page = dom.parse(browser.get("/inbox/server").text)
    form = next(node for node in page.all("form") if node.attrs["action"] == "/inbox/server")
    assert browser.post("/inbox/server", headers=ann.auth()).status_code == 403, "without the form's token"
    answer = browser.post("/inbox/server", data=dom.fields(form), headers=ann.auth())
    assert answer.status_code == 200
    return dom.parse(answer.text).text


def test_the_page_grows_while_it_looks_and_looks_at_no_address_that_is_given_to_it(behind: Server) -> None:
    ann, seen = Owner(behind.url).arrive(), ""
    form = next(node for node in ann.page("/inbox/server").all("form") if node.attrs["action"] == "/inbox/server")
    sent = dom.fields(form) | {"url": "http://127.0.0.1:1"}
    with ann.http.stream("POST", "/inbox/server?url=http://127.0.0.1:1", data=sent, headers=ann.auth()) as answer:
        pieces = answer.iter_text()
        while "<h3>Held back</h3>" not in seen:
            seen += next(pieces)
        assert "</html>" not in seen, "it came only when it was whole"
        assert "</html>" in "".join(pieces)
    assert f"http://127.0.0.1:{behind.port} answers" in seen


def test_a_look_that_fails_does_not_shut_the_page_for_the_next(behind: Server) -> None:
    ann = Owner(behind.url).arrive()
    form = next(node for node in ann.page("/inbox/server").all("form") if node.attrs["action"] == "/inbox/server")
    for name, wanted in (("lost", "can&#39;t be read"), ("sites", "<h3>WebSocket</h3>")):
        with closing(sqlite3.connect(behind.data / "chat.sqlite")) as db, db:
            db.execute(f"ALTER TABLE {'lost' if name == 'sites' else 'sites'} RENAME TO {name}")
        answer = ann.http.post("/inbox/server", data=dom.fields(form), headers=ann.auth())
        assert answer.status_code == 200 and wanted in answer.text


def test_the_page_is_for_who_is_signed_in(behind: Server) -> None:
    answer = httpx.get(f"{behind.url}/inbox/server", trust_env=False)
    assert answer.status_code == 302 and "/inbox/login" in answer.headers["Location"]
