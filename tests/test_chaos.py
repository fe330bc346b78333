"""A minute of chaos: whatever is broken, nothing is lost, nothing is doubled, nothing is out of order."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from chaos.faults import TO_THE_SERVER, TO_THE_WIRES
from chaos.ledger import Ledger
from chaos.run import run


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, signals and mounts as Linux has them")
@pytest.mark.xdist_group("chaos")
def test_a_minute_of_chaos_loses_doubles_and_misplaces_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAT_TEST_SEED") or time.time_ns() % 10**6)
    print(f"CHAT_TEST_SEED={seed}")
    report = run(tmp_path, seconds=60, seed=seed, workers=2)
    assert report.clean, f"\n{report}"
    assert report.acknowledged > 300 and all(verdict.delivered > 100 for verdict in report.verdicts), f"\n{report}"
    assert len(report.faults) == len(TO_THE_SERVER) + len(TO_THE_WIRES), f"\n{report}"
    print(report)


def said(*texts: str) -> Ledger:
    """A ledger in which these were said one after the other."""
    ledger = Ledger()
    for text in texts:
        with ledger.saying("v", text):
            time.sleep(0.001)
    return ledger


def test_the_count_finds_what_is_lost_doubled_misplaced_or_not_ours() -> None:
    ledger = said("a", "b", "c")
    found = {seen: ledger.judge("r", list(seen), "v") for seen in ("abc", "ab", "abcb", "acb", "abcx", "")}
    assert found["abc"].clean and found["abc"].delivered == 3
    assert found["ab"].lost == 1 and found[""].lost == 3
    assert found["abcb"].doubled == 1 and found["acb"].disordered == 1 and found["abcx"].unknown == 1
    assert not any(verdict.clean for seen, verdict in found.items() if seen != "abc")


def test_what_was_said_side_by_side_may_stand_either_way_and_what_was_never_acknowledged_may_be_missing() -> None:
    ledger = Ledger()
    with ledger.saying("v", "a"), ledger.saying("v", "b"):
        pass
    with pytest.raises(AssertionError), ledger.saying("v", "c"):
        raise AssertionError("never acknowledged")
    assert all(ledger.judge("r", list(seen), "v").clean for seen in ("ab", "ba", "abc", "bac"))
    assert ledger.judge("r", ["a", "c", "b"], "v").disordered == 1
    assert ledger.judge("r", ["a", "b"], "w").unknown == 2
