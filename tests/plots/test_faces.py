import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgba

from fer_utils.emotions import EMOTION_COLORS, EMOTIONS
from fer_utils.plots.faces import plot_probabilities, plot_timeline
from fer_utils.recognition.recognizer import FaceEmotion


def make_face(top: str = "happy", confidence: float = 0.93, **options: bool) -> FaceEmotion:
    emotions = dict.fromkeys(EMOTIONS, (1 - confidence) / 6) | {top: confidence}
    return FaceEmotion((0, 0, 9, 9), 0.9, emotions, **options)


def texts(axes_texts) -> list[str]:
    return [text.get_text() for text in axes_texts]


def test_probabilities_of_one_face():
    (ax,) = plot_probabilities(make_face("sad", 0.88))
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.02] * 4 + [0.88, 0.02, 0.02])
    assert texts(ax.texts) == ["2%"] * 4 + ["88%", "2%", "2%"]
    assert [bar.get_facecolor() for bar in ax.patches] == [
        to_rgba(EMOTION_COLORS[name]) for name in EMOTIONS
    ]
    assert texts(ax.get_yticklabels()) == list(EMOTIONS)
    assert ax.yaxis_inverted()  # angry on top
    assert ax.get_title() == "Sad 88%"


def test_probabilities_of_several_faces_have_numbered_panels():
    axes = plot_probabilities([make_face("sad", 0.5), make_face(), make_face(), make_face()])
    assert axes.shape == (4,)
    assert [ax.get_title() for ax in axes[:2]] == ["Face 1: sad 50%", "Face 2: happy 93%"]
    assert len(axes[0].figure.axes) == 4


@pytest.mark.parametrize(("faces", "columns"), [(3, 3), (4, 2), (5, 3), (6, 3), (7, 2), (9, 3)])
def test_panels_fill_their_rows_as_far_as_they_can(faces, columns):
    axes = plot_probabilities([make_face()] * faces)
    assert axes[0].get_gridspec().ncols == columns


def test_probabilities_of_an_unsure_face_say_so():
    (ax,) = plot_probabilities(make_face("sad", 0.34, is_sure=False))
    assert ax.get_title() == "Unsure (sad 34%)"


def test_probabilities_without_a_face_say_so():
    (ax,) = plot_probabilities([])
    assert texts(ax.texts) == ["No face found"]


def test_probabilities_draw_on_the_given_axes():
    _, given = plt.subplots(1, 2)
    assert plot_probabilities([make_face(), make_face()], ax=given).tolist() == given.tolist()


@pytest.mark.parametrize("faces", [None, "happy", [make_face(), 3], {"happy": 0.9}])
def test_probabilities_refuse(faces):
    with pytest.raises(TypeError, match=r"faces must be what EmotionRecognizer\.recognize"):
        plot_probabilities(faces)


def table_of(times_s, face_id: int = 0, labels=None) -> pd.DataFrame:
    """Happy rises, sad falls."""
    times_s = np.asarray(times_s, float)
    happy = np.linspace(0, 1, len(times_s))
    table = pd.DataFrame({"time_s": times_s, "face_id": face_id})
    for name in EMOTIONS:
        table[f"p_{name}"] = {"happy": happy, "sad": 1 - happy}.get(name, 0.0)
    table["label"] = labels or "happy"
    return table


TIMES_S = np.arange(0, 4, 0.5)
TWO = pd.concat([table_of(TIMES_S, 0), table_of(TIMES_S[:3], 7)])


def ribbon(ax) -> list[tuple[float, float, str]]:
    return [
        (round(p.get_x(), 3), round(p.get_x() + p.get_width(), 3), to_hex(p.get_facecolor()))
        for p in ax.patches
    ]


def test_each_face_gets_a_panel_with_its_curves():
    axes = plot_timeline(TWO)
    assert [ax.get_title() for ax in axes] == ["Face 1", "Face 8"]
    for ax, count in zip(axes, (8, 3), strict=True):
        assert [line.get_label() for line in ax.lines] == list(EMOTIONS)
        assert [line.get_color() for line in ax.lines] == list(EMOTION_COLORS.values())
        happy = ax.lines[EMOTIONS.index("happy")]
        np.testing.assert_allclose(happy.get_xdata(), TIMES_S[:count])
        np.testing.assert_allclose(happy.get_ydata(), np.linspace(0, 1, count))
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == list(EMOTIONS)


def test_rows_of_faces_may_be_mixed_and_times_stand_still():
    axes = plot_timeline(TWO.assign(source="a.mp4").sort_values("time_s"))
    np.testing.assert_allclose(axes[1].lines[0].get_xdata(), TIMES_S[:3])
    (ax,) = plot_timeline(table_of([0, 1, 1, 2]))
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0, 1, 1, 2])


def test_the_ribbon_shows_the_steady_label():
    (ax,) = plot_timeline(table_of(TIMES_S, labels=["sad"] * 3 + ["happy"] * 5))
    sad, happy = (EMOTION_COLORS[name].lower() for name in ("sad", "happy"))
    assert ribbon(ax) == [(0, 1.5, sad), (1.5, 3.5, happy)]


def test_the_ribbon_and_the_legend_show_where_it_is_unsure():
    (ax,) = plot_timeline(table_of(TIMES_S, labels=["unsure"] * 3 + ["happy"] * 5))
    assert [span[:2] for span in ribbon(ax)] == [(0, 1.5), (1.5, 3.5)]
    assert [bool(patch.get_hatch()) for patch in ax.patches] == [True, False]
    assert ax.patches[0].get_facecolor()[3] == 0  # in no emotion's colour
    assert ribbon(ax)[1][2] == EMOTION_COLORS["happy"].lower()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [*EMOTIONS, "unsure"]


def test_curves_and_ribbon_break_where_the_face_was_away():
    (ax,) = plot_timeline(table_of([0, 0.5, 1, 5, 5.5, 6]))
    times_s = ax.lines[0].get_xdata()
    assert np.flatnonzero(np.isnan(times_s)).tolist() == [3]
    assert [span[:2] for span in ribbon(ax)] == [(0, 1), (5, 6)]


def test_a_gap_says_that_the_face_was_out_of_view():
    (ax,) = plot_timeline(table_of([0, 0.5, 1, 5, 5.5, 6]))
    assert [(text.get_text(), text.get_position()) for text in ax.texts] == [
        ("out of view", (3, 0.5))
    ]
    comes, goes = plot_timeline(pd.concat([table_of([0, 1, 2, 3, 4]), table_of([3, 4], 1)]))
    assert texts(comes.texts) == []
    assert [text.get_position()[0] for text in goes.texts] == [1.5]
    (ax,) = plot_timeline(table_of([0, 0.1, 0.2, 0.8, *np.arange(0.9, 9, 0.1)]))
    assert texts(ax.texts) == []  # there is no room


def heights(area) -> np.ndarray:
    """Return how high an area of a stack is at each of its times."""
    (corners,) = (path.vertices for path in area.get_paths())
    middle = len(corners) // 2
    lower, upper = corners[1:middle], corners[middle + 1 : -1][::-1]
    np.testing.assert_allclose(lower[:, 0], upper[:, 0])
    return np.abs(upper - lower)[:, 1]


def test_stacked_areas_are_as_high_as_the_probabilities_and_fill_the_panel():
    table = table_of([0, 0.5, 1, 5, 5.5, 6])
    (ax,) = plot_timeline(table, stacked=True)
    assert len(ax.lines) == 0
    areas = ax.collections
    assert len(areas) == 2 * len(EMOTIONS)  # before the gap and behind it
    for place, name in enumerate(EMOTIONS):
        before, behind = areas[place], areas[place + len(EMOTIONS)]
        assert to_hex(before.get_facecolor()[0]) == EMOTION_COLORS[name].lower()
        found = np.concatenate([heights(before), heights(behind)])
        np.testing.assert_allclose(found, table[f"p_{name}"], atol=1e-9)
    assert texts(ax.get_legend().get_texts()) == list(EMOTIONS)
    assert [span[:2] for span in ribbon(ax)] == [(0, 1), (5, 6)]


def test_a_single_row_is_visible_in_a_stack_too():
    (ax,) = plot_timeline(table_of([2.0]), stacked=True)
    (corners,) = (path.vertices for path in ax.collections[0].get_paths())
    assert np.ptp(corners[:, 0]) == pytest.approx(0.1)


def test_wide_steps_are_no_gaps_where_all_are_wide():
    (ax,) = plot_timeline(table_of([0, 10, 20, 30]))
    assert not np.isnan(ax.lines[0].get_xdata()).any()


def test_a_single_row_is_visible():
    (ax,) = plot_timeline(table_of([2.0]))
    assert ax.lines[0].get_marker() == "."


def test_faces_can_be_chosen_and_drawn_on_given_axes():
    figure, axes = plt.subplots(2)
    drawn = plot_timeline(TWO, [7, 0], ax=axes)
    assert list(drawn) == list(axes)
    assert [ax.get_title() for ax in axes] == ["Face 8", "Face 1"]
    (one,) = plot_timeline(TWO, 7, ax=figure.add_subplot())
    assert one.get_title() == "Face 8"


def test_by_default_the_six_seen_longest_are_drawn():
    table = pd.concat([table_of(TIMES_S[: 1 + number % 8], number) for number in range(8)])
    assert [ax.get_title() for ax in plot_timeline(table)] == [f"Face {n}" for n in range(3, 9)]


def test_time_is_shown_as_minutes_and_seconds():
    (ax,) = plot_timeline(table_of([0, 60, 125]))
    formatter = ax.xaxis.get_major_formatter()
    assert [formatter(time_s) for time_s in (0, 1.5, 125)] == ["0:00", "0:01.5", "2:05"]


@pytest.mark.parametrize("face_id", [None, []])
def test_without_faces_it_says_so(face_id):
    (ax,) = plot_timeline(table_of([]), face_id)
    assert [text.get_text() for text in ax.texts] == ["No face found"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["a.csv"], TypeError, "table must be the DataFrame .* got str; .*read_csv"),
        ([TWO.drop(columns="p_sad")], ValueError, r"it lacks \['p_sad'\]"),
        ([TWO, 3], ValueError, r"\[3\] is not; it has \[0, 7\]"),
        ([TWO, []], ValueError, "face_id must name a face, got none; leave it out"),
        (
            [pd.concat([TWO.assign(source="a.mp4"), TWO.assign(source="b.mp4")])],
            ValueError,
            r"one video, it has 'a\.mp4', 'b\.mp4'; choose one .*\"source\"\] == 'a\.mp4'\]",
        ),
        ([pd.concat([TWO, TWO])], ValueError, "one video, .*times of face 0 go back; choose one"),
        ([TWO, "0"], TypeError, "face_id must be a whole number, or several, got '0'"),
        ([TWO, 0.5], TypeError, "face_id must be a whole number"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        plot_timeline(*arguments)


def test_the_number_of_axes_must_fit():
    with pytest.raises(ValueError, match="ax must hold 2 Axes"):
        plot_timeline(TWO, ax=plt.figure().add_subplot())
