"""The Mann-Whitney test, by its normal approximation with correction for ties: exact enough from twenty pairs on."""

import math
from collections import Counter


def mann_whitney_p(left, right):
    """The two-sided chance of a difference of ranks at least this large if both came from one distribution."""
    n, m = len(left), len(right)
    ordered = sorted([(value, 0) for value in left] + [(value, 1) for value in right])
    ranks, index = 0.0, 0
    while index < len(ordered):
        end = index
        while end < len(ordered) and ordered[end][0] == ordered[index][0]:
            end += 1
        average = (index + 1 + end) / 2
        ranks += average * sum(1 for _, side in ordered[index:end] if side == 0)
        index = end
    u = ranks - n * (n + 1) / 2
    ties = sum(count**3 - count for count in Counter(value for value, _ in ordered).values())
    total = n + m
    variance = n * m / 12 * ((total + 1) - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0  # all are the same
    z = (abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(max(z, 0) / math.sqrt(2))
