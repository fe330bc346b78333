"""The command line of a chaos run."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from chaos.run import run


def main() -> None:
    """Run, print the table, and end with 1 when anything was not well."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Break everything on purpose, and count.")
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="what a run with that seed did is done again, in the same order")
    parser.add_argument("--workers", type=int, default=2, help="workers of the server (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the server's log behind, even when all is well")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else time.time_ns() % 10**6
    print(f"seed {seed}: to repeat this, CHAOS_ARGS='--seed {seed} --seconds {chosen.seconds:g}'", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="porchlight-chaos-"))
    report = run(folder, chosen.seconds, seed, chosen.workers)
    print(report)
    if report.clean and not chosen.keep:
        shutil.rmtree(folder)
    else:
        print(f"The server's log: {folder}/output.log")
    sys.exit(not report.clean)


if __name__ == "__main__":
    main()
