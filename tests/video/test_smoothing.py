import numpy as np
import pytest

from fer_utils.video.smoothing import EmotionSmoother, Steadied

A, B = np.array([0.8, 0.2]), np.array([0.2, 0.8])


def run(smoother: EmotionSmoother, signal, times_s) -> list[Steadied]:
    return [smoother.update(signal(time_s), time_s) for time_s in times_s]


def step(time_s: float) -> np.ndarray:
    return A if time_s < 1 else B


def settled_and_switched(times_s, **options) -> tuple[float, float]:
    """Return the smoothed value 0.5 s after a step at 1 s, and when the top changed."""
    options = {"smoothing_s": 0.5, "label_margin": 0.05, "label_hold_s": 0.3} | options
    results = run(EmotionSmoother(**options), step, times_s)
    at = int(np.argmin(np.abs(np.asarray(times_s) - 1.5)))
    tops = np.array([result.top for result in results])
    return results[at].probabilities[1], times_s[int(tops.argmax())]


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
    short = smoother.update(B, 0.01).probabilities
    assert short[1] == pytest.approx(0.2 + 0.6 * (1 - np.exp(-0.02)))
    long = smoother.update(B, 10.01).probabilities
    assert long[1] == pytest.approx(0.8, abs=1e-6)


def test_without_smoothing_the_values_stay():
    smoother = EmotionSmoother(0, 0.05, 0.3)
    run(smoother, lambda _: A, [0, 0.1])
    np.testing.assert_allclose(smoother.update(B, 0.2).probabilities, B)


@pytest.mark.parametrize("fps", [10, 30])
def test_the_top_ignores_what_flickers_and_follows_what_stays(fps):
    times_s = np.arange(0, 10, 1 / fps)

    def flicker(time_s: float) -> np.ndarray:
        return B if int(time_s * 10) % 2 else A

    flickering = [one.top for one in run(EmotionSmoother(0.1, 0.05, 0.3), flicker, times_s)]
    assert set(flickering) == {0}
    staying = [one.top for one in run(EmotionSmoother(0.1, 0.05, 0.3), step, times_s)]
    assert np.count_nonzero(np.diff(staying)) == 1


def test_a_lead_below_the_margin_never_changes_the_top():
    nearly = np.array([0.49, 0.51])
    smoother = EmotionSmoother(0.1, 0.05, 0.3)
    smoother.update(A, 0)
    results = run(smoother, lambda _: nearly, np.arange(0.1, 60, 0.1))
    assert {result.top for result in results} == {0}


def test_a_lead_that_breaks_off_counts_anew():
    smoother = EmotionSmoother(0, 0, 0.3)
    values = [(A, 0), (B, 0.1), (B, 0.3), (A, 0.35), (B, 0.5), (B, 0.7), (B, 0.85)]
    assert [smoother.update(*one).top for one in values] == [0, 0, 0, 0, 0, 0, 1]


def shares(first: float) -> np.ndarray:
    """Return seven probabilities, of which only the first may be high."""
    return np.array([first, *[(1 - first) / 6] * 6])


@pytest.mark.parametrize(("first", "is_sure"), [(0.5, True), (0.49, False)])
def test_the_first_picture_decides_at_once_whether_it_is_sure(first, is_sure):
    assert EmotionSmoother(0.5, 0.05, 0.3, 0.5).update(shares(first), 0).is_sure is is_sure


@pytest.mark.parametrize("seed", range(5))
def test_being_sure_does_not_flicker_around_the_threshold(seed):
    noise = np.random.default_rng(seed).normal(0.5, 0.1, 1500)
    smoother = EmotionSmoother(0.5, 0.05, 0.3, 0.5)
    times_s = np.arange(len(noise)) / 25
    results = [smoother.update(shares(*one), t) for *one, t in zip(noise, times_s, strict=True)]
    crossings = np.diff([result.probabilities[0] >= 0.5 for result in results])
    assert np.count_nonzero(crossings) > 30
    assert np.count_nonzero(np.diff([result.is_sure for result in results])) <= 2


def test_being_sure_follows_what_stays_after_the_hold():
    smoother = EmotionSmoother(0, 0.05, 0.3, 0.5)
    shown = [0.6, 0.4, 0.4, 0.6, 0.4, 0.4, 0.52, 0.52, 0.56, 0.56]
    times_s = [0, 0.1, 0.3, 0.35, 0.5, 0.9, 1.0, 2.0, 2.1, 2.5]
    results = [smoother.update(shares(p), t) for p, t in zip(shown, times_s, strict=True)]
    # What breaks off counts anew, and back takes the margin.
    assert [one.is_sure for one in results] == [True] * 5 + [False] * 4 + [True]
    assert {result.top for result in results} == {0}


def test_a_threshold_close_to_certainty_can_be_reached_again():
    smoother = EmotionSmoother(0, 0.05, 0.3, 0.98)
    shown = [(0.9, 0), (0.991, 0.2), (0.991, 0.6)]
    assert [smoother.update(shares(p), t).is_sure for p, t in shown] == [False, False, True]


@pytest.mark.parametrize(("apart_s", "top"), [(0.25, 0), (0.3, 1), (1, 1)])
def test_pictures_further_apart_than_the_hold_count_at_once(apart_s, top):
    smoother = EmotionSmoother(0, 0.05, 0.3)
    assert smoother.update(A, 0).top == 0
    assert smoother.update(B, apart_s).top == top


def test_a_clear_change_does_not_pass_through_unsure():
    smoother = EmotionSmoother(0.5, 0.05, 0.3, 0.5)
    results = run(smoother, step, np.arange(0, 4, 0.04))
    assert results[-1].top == 1
    assert all(result.is_sure for result in results)


def test_the_top_is_the_same_whatever_the_threshold():
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 500)
    tops = []
    for threshold in (0, 0.3, 1):
        smoother = EmotionSmoother(0.1, 0.05, 0.1, threshold)
        tops.append([smoother.update(row, n / 25).top for n, row in enumerate(rows)])
    assert tops[0] == tops[1] == tops[2]
    assert len(set(tops[0])) > 3
