"""The bench: one table, Porchlight beside a Starlette baseline that does the same job. Asserts nothing but that
every message arrived. docs/performance.md says what the rows mean.

python tests/load/bench.py --quick --ours-only --rows delivery,fanout
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rows import QUICK, ROWS, Effort
from targets import PINNED, SERVERS

NAMES = {
    "ours": "Porchlight",
    "baseline": "Starlette baseline",
    "empty": "empty server (the client's limit)",
    "wsgi": "plain WSGI",
    "flask": "plain Flask",
}
ABLE = {"empty": {"delivery", "saturation", "fanout"}, "wsgi": {"saturation"}, "flask": {"saturation"}}
LEAST_FILES = 10_000 + 500
PACKAGES = ("gunicorn", "gevent", "Flask", "pysqlite3", "uvicorn", "uvloop", "httptools", "websockets", "starlette")
Table = dict[str, dict[str, str]]


def measure(servers: list[str], rows: list[str], effort: Effort) -> Table:
    """All figures by label and server; a new server for each row. Progress goes to stderr."""
    table: Table = {}
    for row in rows:
        for server in servers:
            if row not in ABLE.get(server, ROWS):
                continue
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder, SERVERS[server](Path(folder)) as target:
                figures = ROWS[row](target, effort)
            print(f"{row}, {NAMES[server]}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            for label, figure in figures.items():
                table.setdefault(label, {})[server] = figure
                print(f"    {label}: {figure}", file=sys.stderr, flush=True)
    return table


def machine() -> str:
    """Where and with what this was measured."""
    kernel = f"{platform.system()} {platform.release().partition('-')[0]}"
    versions = ", ".join(f"{name} {version(name)}" for name in (*PACKAGES, "aiosqlite"))
    pinned = "server and client on a core each" if PINNED else "server and client not pinned to cores"
    return (
        f"{date.today()}; {_processor()}, {os.cpu_count()} cores, {kernel}, {pinned}; "
        f"Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def lines(table: Table, servers: list[str], *, markdown: bool) -> list[str]:
    """The table, as Markdown or with columns that stand below each other."""
    head = ["", *(NAMES[server] for server in servers)]
    body = [[label, *(figures.get(server, "") for server in servers)] for label, figures in table.items()]
    if markdown:
        return [f"| {' | '.join(cells)} |" for cells in (head, ["---", *["---:"] * len(servers)], *body)]
    widths = [max(len(cells[column]) for cells in (head, *body)) for column in range(len(head))]
    rows = [[cell.rjust(width) for cell, width in zip(cells, widths, strict=True)] for cells in (head, *body)]
    return ["  ".join([cells[0].lstrip().ljust(widths[0]), *cells[1:]]) for cells in rows]


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default=",".join(ROWS), help="which of " + ", ".join(ROWS))
    parser.add_argument("--servers", default="ours,baseline,empty", help="which of " + ", ".join(SERVERS))
    parser.add_argument("--ours-only", action="store_true", help="the same as --servers ours")
    parser.add_argument("--quick", action="store_true", help="rough figures within a minute (with --ours-only)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    asked = parser.parse_args()
    asked.rows, asked.servers = asked.rows.split(","), ["ours"] if asked.ours_only else asked.servers.split(",")
    for what, known in ((asked.rows, ROWS), (asked.servers, SERVERS)):
        if unknown := set(what) - set(known):
            parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return asked


def main() -> None:
    """Measure and print."""
    asked = options()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < LEAST_FILES and not asked.quick:
        sys.exit(f"The bench opens 10,000 sockets, and only {most:,} files may be open here. Try `ulimit -n 20000`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20_000) if most > 0 else 20_000, most))
    table = measure(asked.servers, asked.rows, QUICK if asked.quick else Effort())
    print(machine(), "", *lines(table, asked.servers, markdown=asked.markdown), sep="\n")


if __name__ == "__main__":
    main()
