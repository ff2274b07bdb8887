"""Waiting for a condition with a deadline, instead of sleeping for luck."""

import time


def until(condition, seconds=10.0, every=0.05, saying="the condition"):
    """The first true value that `condition()` returns; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(every)
    raise AssertionError(f"{saying} did not come true within {seconds} s (last: {last!r})")
