"""A real WordPress: Debian's package under PHP's own server, on a MariaDB of its own, all in one folder.

It asks nobody outside, and its owner signs in as `NAME`. What the tests do to it goes through its own pages.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import httpx
from feed import eventually
from harness import free_port
from playwright.sync_api import Page, expect

HOME = Path("/usr/share/wordpress")
NAME, PASSWORD = "ann", "a lamp beside the door"
CONFIG = """<?php
define('DB_NAME', 'blog');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:%(socket)s');
define('AUTH_KEY', 'tests');
define('SECURE_AUTH_KEY', 'tests');
define('LOGGED_IN_KEY', 'tests');
define('NONCE_KEY', 'tests');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);
function get_avatar() { return ''; }
$table_prefix = 'wp_';
define('ABSPATH', __DIR__ . '/');
require ABSPATH . 'wp-settings.php';
"""


class WordPress:
    """A blog with its first post at `url`. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start_database()
            self._start_php()
            self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait(20)

    def _start_database(self) -> None:
        data, socket = self.folder / "data", self.folder / "db"
        user = getpass.getuser()
        run = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([*run, f"--datadir={data}", f"--user={user}"], check=True, capture_output=True)
        start = self.folder / "start.sql"
        start.write_text("CREATE DATABASE blog CHARACTER SET utf8mb4;")
        server = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/libexec") or "mariadbd"
        options = ["--no-defaults", "--skip-networking", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"]
        places = [f"--datadir={data}", f"--socket={socket}", f"--pid-file={self.folder / 'pid'}"]
        self._run([server, *options, *places, f"--user={user}", f"--init-file={start}"])
        eventually(socket.exists)

    def _start_php(self) -> None:
        root = self.folder / "www"
        shutil.copytree(HOME, root)
        (root / "wp-config.php").write_text(CONFIG % {"socket": self.folder / "db"})
        # Saving a theme's file asks the site itself whether it still works: that takes a second worker.
        self._run(["php", "-S", f"127.0.0.1:{self.port}", "-t", str(root)], PHP_CLI_SERVER_WORKERS="4")

    def _run(self, command: list[str], **environment: str) -> None:
        with (self.folder / "log").open("ab") as log:
            self._running.append(
                subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=os.environ | environment)
            )

    def _install(self) -> None:
        eventually(self._answers)
        form = {"weblog_title": "Wool and lamps", "user_name": NAME, "admin_email": "ann@blog.example", "Submit": "1"}
        form |= {"admin_password": PASSWORD, "admin_password2": PASSWORD, "pw_weak": "1"}
        answer = httpx.post(f"{self.url}/wp-admin/install.php?step=2", data=form, timeout=60)
        assert "Success!" in answer.text, answer.text[-2000:]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/wp-admin/install.php", timeout=30).status_code == 200
        except httpx.TransportError:
            return False


class Dashboard:
    """Its owner's pages."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, f"{url}/wp-admin"

    def sign_in(self) -> Dashboard:
        self.page.goto(f"{self.url}/")
        self.page.get_by_label("Username or Email Address").fill(NAME)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Log In").click()
        expect(self.page.get_by_role("heading", name="Dashboard", exact=True)).to_be_visible()
        return self

    def wear(self, theme: str) -> None:
        """Appearance, Themes, Activate."""
        self.page.goto(f"{self.url}/themes.php")
        card = self.page.locator(f".theme[data-slug={theme}]")
        expect(card).to_be_visible()
        if (activate := card.get_by_role("link", name="Activate")).count():  # none on the one that is worn
            card.hover()
            activate.click()
        expect(card).to_contain_text("Active:")

    def put_into_footer_file(self, theme: str, tag: str) -> None:
        """Appearance, Theme File Editor, footer.php; the tag before </body>."""
        self.page.goto(f"{self.url}/theme-editor.php?file=footer.php&theme={theme}")
        if (warned := self.page.get_by_role("button", name="I understand")).is_visible():
            warned.click()
        editor = "document.querySelector('.CodeMirror').CodeMirror"
        old = self.page.evaluate(f"{editor}.getValue()")
        assert old.count("</body>") == 1
        self.page.evaluate(f"text => {editor}.setValue(text)", old.replace("</body>", f"{tag}\n</body>"))
        self.page.get_by_role("button", name="Update File").click()
        expect(self.page.get_by_text("File edited successfully.").first).to_be_visible()

    def put_into_footer_block(self, theme: str, tag: str) -> None:
        """Appearance, Editor, Footer; a block "Custom HTML", Save."""
        self.page.goto(f"{self.url}/site-editor.php?postType=wp_template_part&postId={theme}//footer")
        self.page.wait_for_function("window.wp?.data?.select('core/block-editor')?.getBlockCount() > 0")
        self.page.evaluate(
            """content => wp.data.dispatch('core/block-editor')
              .insertBlock(wp.blocks.createBlock('core/html', { content }))""",
            tag,
        )
        self.page.get_by_role("button", name="Save", exact=True).click()
        self.page.locator(".entities-saved-states__panel").get_by_role("button", name="Save", exact=True).click()
        expect(self.page.get_by_text("Site updated.").first).to_be_attached()
