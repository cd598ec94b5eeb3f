"""Threads that run attempts: every job runs, side by side where jobs wait, and a thread that hangs is made up for."""

import threading
from queue import SimpleQueue

from groundplan.runtime.workers import Workers

PATIENCE = 20


def test_jobs_that_wait_for_each_other_run_side_by_side() -> None:
    workers, meeting, met = Workers(8), threading.Barrier(8), SimpleQueue[int]()
    for _ in range(8):
        workers.submit(lambda: met.put(meeting.wait(PATIENCE)))
    assert sorted(met.get(timeout=PATIENCE) for _ in range(8)) == list(range(8))
    workers.close()


def test_no_job_is_forgotten_whoever_submits_it() -> None:
    workers, done = Workers(4), SimpleQueue[int]()

    def submit(first: int) -> None:
        for number in range(first, first + 500):
            workers.submit(lambda number=number: done.put(number))

    threads = [threading.Thread(target=submit, args=(first,)) for first in range(0, 2000, 500)]
    for thread in threads:
        thread.start()
    assert {done.get(timeout=PATIENCE) for _ in range(2000)} == set(range(2000))
    workers.close()


def test_a_job_that_hangs_is_made_up_for() -> None:
    workers, release, done = Workers(1), threading.Event(), SimpleQueue[str]()
    workers.submit(lambda: done.put(f"hung {release.wait(PATIENCE)}"))
    workers.submit(lambda: done.put("waited"))
    workers.give_up_one()
    assert done.get(timeout=PATIENCE) == "waited"
    release.set()
    assert done.get(timeout=PATIENCE) == "hung True"
    workers.close()
