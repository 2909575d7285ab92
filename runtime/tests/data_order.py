"""The orders that data_order.rs pins, computed without Kiln: python3 data_order.py"""

MASK = 2**64 - 1


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def below(random, bound):
    """Lemire's method: the high half, unless the low half is one of the unfair ones."""
    while True:
        high, low = divmod(next(random) * bound, 2**64)
        if low >= 2**64 % bound:
            return high


def permutation(seed, n):
    random, order = splitmix64(seed), list(range(n))
    for last in range(n - 1, 0, -1):
        other = below(random, last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def epoch(seed, number, n):
    key = next(splitmix64(seed)) ^ number
    return permutation(next(splitmix64(key)), n)


print("ORDER_0_0", epoch(0, 0, 10))
print("ORDER_42_7", epoch(42, 7, 10))
print("SPLIT_42", permutation(42, 10))
