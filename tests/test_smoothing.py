import numpy as np
import pytest

from fer_utils.smoothing import EmotionSmoother

A, B = np.array([0.8, 0.2]), np.array([0.2, 0.8])


def run(smoother: EmotionSmoother, signal, times_s) -> list[tuple[np.ndarray, int]]:
    return [smoother.update(signal(time_s), time_s) for time_s in times_s]


def step(time_s: float) -> np.ndarray:
    return A if time_s < 1 else B


def settled_and_switched(times_s, **options) -> tuple[float, float]:
    """Return the smoothed value 0.5 s after a step at 1 s, and when the label changed."""
    options = {"smoothing_s": 0.5, "label_margin": 0.05, "label_hold_s": 0.3} | options
    results = run(EmotionSmoother(**options), step, times_s)
    at = int(np.argmin(np.abs(np.asarray(times_s) - 1.5)))
    labels = np.array([label for _, label in results])
    return results[at][0][1], times_s[int(labels.argmax())]


def test_a_step_comes_through_to_63_percent_after_the_time_constant():
    value, _ = settled_and_switched(np.arange(0, 3, 0.001))
    assert value == pytest.approx(0.2 + 0.6 * (1 - np.exp(-1)), abs=0.002)


def test_the_frame_rate_does_not_matter():
    slow, fast = (settled_and_switched(np.arange(0, 3, 1 / fps)) for fps in (10, 30))
    assert slow[0] == pytest.approx(fast[0], abs=0.06)
    assert slow[1] == pytest.approx(fast[1], abs=0.11)


def test_irregular_times_are_honoured():
    smoother = EmotionSmoother(0.5, 0.05, 0.3)
    smoother.update(A, 0.0)
    short, _ = smoother.update(B, 0.01)
    assert short[1] == pytest.approx(0.2 + 0.6 * (1 - np.exp(-0.02)))
    long, _ = smoother.update(B, 10.01)
    assert long[1] == pytest.approx(0.8, abs=1e-6)


def test_without_smoothing_the_values_stay():
    smoother = EmotionSmoother(0, 0.05, 0.3)
    run(smoother, lambda _: A, [0, 0.1])
    np.testing.assert_allclose(smoother.update(B, 0.2)[0], B)


@pytest.mark.parametrize("fps", [10, 30])
def test_the_label_ignores_what_flickers_and_follows_what_stays(fps):
    times_s = np.arange(0, 10, 1 / fps)

    def flicker(time_s: float) -> np.ndarray:
        return B if int(time_s * 10) % 2 else A

    flickering = [label for _, label in run(EmotionSmoother(0.1, 0.05, 0.3), flicker, times_s)]
    assert set(flickering) == {0}
    staying = [label for _, label in run(EmotionSmoother(0.1, 0.05, 0.3), step, times_s)]
    assert np.count_nonzero(np.diff(staying)) == 1


def test_a_lead_below_the_margin_never_changes_the_label():
    nearly = np.array([0.49, 0.51])
    smoother = EmotionSmoother(0.1, 0.05, 0.3)
    smoother.update(A, 0)
    assert {label for _, label in run(smoother, lambda _: nearly, np.arange(0.1, 60, 0.1))} == {0}


def test_a_lead_that_breaks_off_counts_anew():
    smoother = EmotionSmoother(0, 0, 0.3)
    values = [(A, 0), (B, 0.1), (B, 0.3), (A, 0.35), (B, 0.5), (B, 0.7), (B, 0.85)]
    assert [smoother.update(*one)[1] for one in values] == [0, 0, 0, 0, 0, 0, 1]
