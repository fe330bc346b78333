"""The export: every line as docs/data.md describes it, nothing that opens a door, whole or not at all."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import APP, ROOT, environment
from verbs import command, first_version, verb

from chat import exports, schema
from chat.db import connect

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
LEFT_OUT = {
    "sites": {"version"},
    "agents": {"password_hash", "here_until", "delivered", "picture", "language"},
    "devices": {"token_hash"},
    "conversations": {"last_message_id", "rank"},
    "messages": {"files"},
    "states": {
        *("version", "visitor_typing_until", "agent_typing_until", "agent_typing_id"),
        *("visitor_here_until", "visitor_left_at", "conversation_id"),
    },
}
"""What opens doors, what lives for minutes, and what can be worked out from the rest."""
WHOLLY = {"sessions", "setup_links", "presences", "health", "secrets", "options", "mail_threads", "push_devices"}
WHOLLY |= {"cursors", "deliveries", "mailboxes", "mail_letters", "alert_plans", "telegram_topics"}
WHOLLY |= {"erasures", "file_sums", "pictures", "reads", "reply_times", "site_options", "site_pages"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The first version's data, up to date."""
    data = first_version(tmp_path / "data")
    schema.prepare(data / "chat.sqlite")
    with closing(connect(data / "chat.sqlite")) as db:
        (talk, message) = db.execute("SELECT conversation_id, id FROM messages LIMIT 1").fetchone()
        db.execute("INSERT INTO doors VALUES (?, 'mail', 'vera@example.org', 0)", [talk])
        about = "1, ?, ?, 'lamp.png', 'image/png', 7, '2026-11-23T09:00:00.000Z', 'all'"
        db.execute("INSERT INTO form_answers SELECT max(id), 1, 'text', 'Company', 'ACME', '2026-11-23' FROM persons")
        db.execute("INSERT INTO facts SELECT max(id), 'tag', 'vip', '', '2026-11-23' FROM persons")
        db.execute("INSERT INTO acts SELECT 1, max(id), 'looked', '', '2026-11-23' FROM persons")
        db.execute(f"INSERT INTO files VALUES (1, 'abcd', {about})", [talk, message])
    return data


def exported(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exports.lines(data / "chat.sqlite")]


def test_every_line_is_as_the_docs_describe_it(data: Path) -> None:
    for line in exported(data):
        section = PAGE.partition(f"### `{line['type']}`")[2].partition("\n###")[0]
        described = re.findall(r"^\| `(\w+)` \|", section, re.M)
        assert described == [name for name in line if name != "type"], line["type"]
    assert f"`schema` is {exports.SCHEMA}" in PAGE


def test_every_column_is_exported_or_left_out_on_purpose(data: Path) -> None:
    db = connect(data / "chat.sqlite", readonly=True)
    types = {f"{line['type']}s": set(line) for line in exported(data)} | {"states": set()}
    types["states"] |= {name for name in types["conversations"] if name.endswith(("_delivered", "_seen"))}
    for table in db.table_names():
        if not table.startswith(("_", "sqlite_")) and table not in WHOLLY:
            missing = {column.name for column in db[table].columns} - types[table] - LEFT_OUT.get(table, set())
            assert not missing, f"{table}: {missing} is neither exported nor left out on purpose"


def test_it_holds_everything_in_a_fixed_order_and_says_where_it_ends(data: Path) -> None:
    first, *lines, last = exported(data)
    assert (first["type"], first["schema"], first["messages"]) == ("export", 1, 13)
    assert last == {"type": "end", "lines": len(lines) + 2}
    kinds = [line["type"] for line in lines]
    assert list(dict.fromkeys(kinds)) == list(exports.QUERIES)
    assert [line["id"] for line in lines if line["type"] == "message"] == list(range(1, 14))
    assert "Lovely, thank you\nand good evening 🌙" in [line.get("body") for line in lines]
    assert exported(data)[1:] == [*lines, last]


def test_it_holds_nothing_that_opens_a_door(data: Path) -> None:
    text = "".join(exports.lines(data / "chat.sqlite"))
    db = connect(data / "chat.sqlite", readonly=True)
    secrets = [db.execute("SELECT password_hash FROM agents").fetchone()[0]]
    secrets += [row[0] for row in db.execute("SELECT token_hash FROM devices UNION SELECT token_hash FROM sessions")]
    secrets += [db.execute("SELECT value FROM secrets").fetchone()[0].hex()]
    assert len(secrets) > 4 and not [secret for secret in secrets if secret in text]


def test_it_goes_to_a_file_or_to_the_standard_output(tmp_path: Path, data: Path) -> None:
    said = command(data, "export", tmp_path / "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert f"{len(lines)} lines" in said and (tmp_path / "all.jsonl").stat().st_mode & 0o077 == 0
    assert "--force" in verb(data, "export", tmp_path / "all.jsonl", fails=True)
    env = environment(CHAT_DATA=str(data), LC_ALL="C", PYTHONUTF8="0")
    piped = subprocess.run([*APP, "export"], cwd=ROOT, env=env, capture_output=True, timeout=20)
    assert piped.returncode == 0 and piped.stdout.decode("utf-8").splitlines()[1:] == lines[1:]
    assert b"Exported" in piped.stderr and b"Exported" not in piped.stdout


def test_whoever_reads_it_may_stop_early(data: Path) -> None:
    db = connect(data / "chat.sqlite")
    for _ in range(12):
        db.execute("INSERT INTO persons (site_id, name, created_at) SELECT site_id, name, created_at FROM persons")
    db.close()
    env = environment(CHAT_DATA=str(data))
    with subprocess.Popen([*APP, "export"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as piped:
        assert piped.stdout and piped.stderr
        piped.stdout.readline()
        piped.stdout.close()
        assert b"Traceback" not in piped.stderr.read()
