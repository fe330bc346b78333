"""Lighthouse on a page without the tag and on the same page with it, in turn, so that noise hits both alike.

Needs Node: `npx` fetches Lighthouse, or --lighthouse names an installed one. The server runs as in production, the page
comes from another port, and the phone that Lighthouse emulates is its own default (slow 4G, a quarter of the CPU).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

for folder in ("tests", "tests/browser"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / folder))

from harness import Server, chromium  # noqa: E402
from pages import HostPages  # noqa: E402

VERSION = "13.5.0"
SCORES = {
    "performance": "performance",
    "accessibility": "accessibility",
    "best-practices": "best practices",
    "seo": "SEO",
}
FIGURES = {
    "first-contentful-paint": "first contentful paint (ms)",
    "largest-contentful-paint": "largest contentful paint (ms)",
    "speed-index": "speed index (ms)",
    "total-blocking-time": "total blocking time (ms)",
    "cumulative-layout-shift": "cumulative layout shift",
    "total-byte-weight": "bytes, headers included",
}
PAGE = """<!doctype html><html lang=en><head><meta charset=utf-8><title>Wool and lamps</title>
<meta name=viewport content="width=device-width"><meta name=description content="Wool, and lamps to knit by.">
<style>body { font: 18px/1.5 sans-serif; margin: auto; max-width: 40rem; padding: 1rem } svg { width: 100%% }</style>
</head><body><main><h1>Wool and lamps</h1><svg viewBox="0 0 400 200" role=img aria-label="A lamp">
<rect width=400 height=200 fill="#f2e3c6" /><circle cx=200 cy=90 r=60 fill="#e0a030" /></svg>%s</main>
%s</body></html>"""
TEXT = "<p>" + "Wool from the hills, spun by hand and dyed in the yard behind the shop. " * 8 + "</p>"


class Lighthouse:
    """The program, run once for each page that it is to look at."""

    def __init__(self, command: str, throttling: str) -> None:
        self.command, self.throttling = shlex.split(command), throttling
        if not shutil.which(self.command[0]):
            sys.exit(
                f"{self.command[0]} is not here. Install Node (on Debian: sudo apt install npm), or use --lighthouse."
            )
        self.environment = os.environ | ({"CHROME_PATH": found} if (found := chromium()) else {})

    def look(self, url: str) -> dict[str, float]:
        """Scores (0 to 100) and figures of one load."""
        options = ["--output=json", "--quiet", "--chrome-flags=--headless=new --no-sandbox --disable-gpu"]
        options += [f"--only-categories={','.join(SCORES)}", f"--throttling-method={self.throttling}"]
        done = subprocess.run([*self.command, url, *options], env=self.environment, capture_output=True)
        if done.returncode:
            sys.exit(f"Lighthouse ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
        report: dict[str, Any] = json.loads(done.stdout)
        if error := report.get("runtimeError"):
            sys.exit(f"Lighthouse could not look at {url}: {error['message']}")
        found = {name: 100 * report["categories"][key]["score"] for key, name in SCORES.items()}
        audits = report["audits"]
        found |= {name: audits[key]["numericValue"] for key, name in FIGURES.items()}
        return found | {"requests": len(audits["network-requests"]["details"]["items"])}


def compare(lighthouse: Lighthouse, pages: dict[str, str], times: int) -> dict[str, dict[str, float]]:
    """The median of each figure, for each page."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    for round_ in range(times):
        for name, url in pages.items():
            print(f"{round_ + 1} of {times}: {name} ...", file=sys.stderr)
            seen[name].append(lighthouse.look(url))
    return {
        name: {key: statistics.median(each[key] for each in found) for key in found[0]} for name, found in seen.items()
    }


def table(found: dict[str, dict[str, float]]) -> str:
    """As Markdown, a column for each page."""
    lines = ["| | " + " | ".join(found) + " |", "| --- |" + " ---: |" * len(found)]
    for key in next(iter(found.values())):
        shown = (f"{each[key]:,.3f}" if "shift" in key else f"{each[key]:,.0f}" for each in found.values())
        lines.append(f"| {key} | {' | '.join(shown)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=5, help="loads of each page (5)")
    parser.add_argument(
        "--throttling", default="devtools", help="Lighthouse's --throttling-method: simulate or devtools"
    )
    parser.add_argument("--lighthouse", default=f"npx --yes lighthouse@{VERSION}", help="the command that runs it")
    asked = parser.parse_args()
    lighthouse = Lighthouse(asked.lighthouse, asked.throttling)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), HOST=None) as server, HostPages() as host:
        tag = f'<script async src="http://localhost:{server.port}/w/main.js"></script>'
        host.pages |= {"/without": ({}, PAGE % (TEXT * 12, "")), "/with": ({}, PAGE % (TEXT * 12, tag))}
        pages = {"without the tag": f"{host.url}/without", "with it": f"{host.url}/with"}
        print(table(compare(lighthouse, pages, asked.times)))


if __name__ == "__main__":
    main()
