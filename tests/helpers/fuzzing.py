"""Fuzzing with Hypothesis: the same examples in every run, and bytes damaged as files are.

``FER_FUZZ=20 make test`` tries twenty times as many examples.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EFFORT = int(os.environ.get("FER_FUZZ") or 1)


def fuzzed(examples: int) -> settings:
    """Return the decorator that tries so many examples, always the same ones."""
    return settings(
        max_examples=examples * EFFORT,
        derandomize=True,
        database=None,
        deadline=None,
        # A test's own folder may serve all its examples.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a file's bytes with up to three damages: cut off, flipped, zeroed, lost or doubled."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        stop = min(len(data), start + draw(st.sampled_from([1, 2, 4, 16, 256, 4096])))
        match draw(st.sampled_from(["cut", "flip", "zero", "random", "lose", "double"])):
            case "cut":
                del data[start:]
            case "flip" if data:
                data[start] ^= 1 << draw(st.integers(0, 7))
            case "zero":
                data[start:stop] = bytes(stop - start)
            case "random":
                data[start:stop] = draw(st.binary(min_size=1, max_size=16))
            case "lose":
                del data[start:stop]
            case "double":
                data[start:start] = data[start:stop]
    return bytes(data)
