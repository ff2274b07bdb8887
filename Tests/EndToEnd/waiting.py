"""Waiting for a condition with a deadline, instead of sleeping for luck."""

import time


def until(condition, seconds=10.0, every=0.05, saying="the condition"):
    """The first true value that `condition()` returns; fails where it is not true once `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        last = condition()
        if last:
            return last
        if left <= 0:
            raise AssertionError(f"{saying} did not come true within {seconds} s (last: {last!r})")
        time.sleep(min(every, max(0, deadline - time.monotonic())))
