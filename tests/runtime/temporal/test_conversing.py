"""The thread that has the dialogues of a keeper: one, whoever begins."""

import sys
import threading
from collections.abc import Iterator

import pytest

from groundplan.runtime.temporal.conversing import Conversing


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads that are interrupted as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_exchanges_that_begin_at_once_share_one_thread(hurried: None) -> None:
    for _ in range(50):
        conversing, together = Conversing(lambda *_: None), threading.Barrier(6)

        def begin(conversing: Conversing = conversing, together: threading.Barrier = together) -> None:
            together.wait()
            conversing.begin()

        threads = [threading.Thread(target=begin) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        conversing.close()
        assert [it.name for it in threading.enumerate() if it.name == "groundplan-dialogues"] == []
