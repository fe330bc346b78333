"""Accounts from the command line: a forgotten password is mended, and every session ends."""

import subprocess
from pathlib import Path

import pytest
from cast import Owner
from harness import APP, EMAIL, ROOT, Server, environment

pytestmark = pytest.mark.xdist_group("accounts")


def reset(data: Path, email: str, password: str) -> subprocess.CompletedProcess[str]:
    """Run the verb as the owner does, the new password on its standard input."""
    return subprocess.run(
        [*APP, "reset-password", email],
        cwd=ROOT, env=environment(CHAT_DATA=str(data)), input=f"{password}\n", capture_output=True, text=True,
    )  # fmt: skip


def test_a_new_password_signs_in_and_ends_the_sessions_of_the_old_one(server: Server, ann: Owner) -> None:
    done = reset(server.data, EMAIL, "three other words")
    assert done.returncode == 0, done.stderr
    assert ann.http.get("/inbox").status_code == 302
    assert Owner(server.url).sign_in().status_code == 200, "the form again"
    assert Owner(server.url).sign_in(password="three other words").status_code == 303


@pytest.mark.parametrize(("email", "password"), [("nobody@example.com", "three other words"), (EMAIL, "short")])
def test_what_can_not_be_done_is_said_in_one_line(server: Server, email: str, password: str) -> None:
    done = reset(server.data, email, password)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_without_a_database_it_says_where_it_looked(tmp_path: Path) -> None:
    done = reset(tmp_path / "elsewhere", EMAIL, "three other words")
    assert done.returncode == 1
    assert "elsewhere" in done.stderr
