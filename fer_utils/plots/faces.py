"""Charts of recognised faces: the emotions of each, and over the time of a video.

The conventions are those of `plots.axes`.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from ..emotions import EMOTIONS, UNSURE, colors_of
from ..files import first_few
from ..recognition.drawing import FaceLike, caption, face_list, face_number
from .axes import panels, round_ticks

_MOST_FACES = 6
# A face that was away for longer than this, and than some frames, leaves a gap in its lines.
_GAP_S, _GAP_FRAMES = 0.4, 3
_NAMED_GAP = 0.12  # of the video; in a shorter gap there is no room for words
_INSTANT_S = 0.1  # what an area covers that has one frame alone
_TIMELINE_COLUMNS = ("face_id", "time_s", "label")


def plot_probabilities(
    faces: FaceLike | Sequence[FaceLike], *, ax: Axes | Sequence[Axes] | None = None
) -> np.ndarray:
    """Draw the probabilities of each face's emotions as bars, one panel a face.

    Parameters
    ----------
    faces : FaceEmotion or sequence of FaceEmotion
        None at all gives one empty panel that says so.
    ax : Axes or sequence of Axes, optional
        As many as there are panels.

    Returns
    -------
    ndarray of Axes, shape (max(1, number of faces),)

    Raises
    ------
    TypeError, ValueError
        If `faces` holds anything but faces, or `ax` has another number of Axes.

    Examples
    --------
    >>> faces = fer.EmotionRecognizer.load().recognize("docs/faces/happy-collins.jpg")
    >>> fer.plot_probabilities(faces).shape
    (1,)
    """
    faces = face_list(faces)
    axes = panels(ax, max(1, len(faces)), size=(3.6, 2.7), most_columns=3)
    if not faces:
        axes[0].axis("off")
        axes[0].text(0.5, 0.5, "No face found", ha="center", va="center", fontsize="large")
    for place, (one, face) in enumerate(zip(axes, faces, strict=False)):
        prefix = f"Face {face_number(face, place)}: " if len(faces) > 1 else ""
        _plot_bars(one, face.emotions)
        one.set_title((prefix + caption(face)).capitalize())
    return axes


def plot_timeline(
    table: pd.DataFrame,
    face_id: int | Sequence[int] | None = None,
    *,
    stacked: bool = False,
    ax: Axes | Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw the probabilities of the emotions over time, one panel a face.

    The ribbon below the curves shows the steady label, and is hatched where it is "unsure". Curves
    and ribbon are broken where the face was out of view, and wide gaps say so. Faces are numbered
    from 1, as they are drawn on the video: face 1 is the one with the `face_id` 0.

    Parameters
    ----------
    table : pandas.DataFrame
        One video's, as `recognize_video` returns it, or as `pandas.read_csv` reads it back.
    face_id : int or sequence of int, optional
        Which faces; by default the six that were seen in the most frames.
    stacked : bool
        Draw areas, one upon the other, in place of curves: a probability is as high as its area.
    ax : Axes or sequence of Axes, optional
        As many as there are faces.

    Returns
    -------
    ndarray of Axes, shape (max(1, number of faces),)
        By face. A table without any face gives one empty panel that says so.

    Raises
    ------
    TypeError
        If `table` is no DataFrame, `face_id` no number, or `ax` no Axes.
    ValueError
        If columns are missing, the table holds several videos or a face's rows are not in the order
        of time, a face is not in the table, `face_id` is empty although there are faces, or `ax`
        has another number of Axes.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> frames = [astronaut()] * 3
    >>> table = fer.recognize_video(frames, fps=10, progress=False)
    >>> len(fer.plot_timeline(table))
    1
    """
    face_ids = _checked_faces(_checked_table(table), face_id)
    axes = panels(ax, max(1, len(face_ids)), size=(9, 2.8), most_columns=1)
    if not face_ids:
        axes[0].axis("off")
        axes[0].text(0.5, 0.5, "No face found", ha="center", va="center", fontsize="large")
    for one, number in zip(axes, face_ids, strict=False):
        _plot_face(one, table[table["face_id"] == number], stacked)
        one.set_title(f"Face {number + 1}")
    if face_ids:
        shown = table[table["face_id"].isin(face_ids)]
        _add_legend(axes[0], with_unsure=(shown["label"] == UNSURE).any())
        _share_times(axes, shown["time_s"])
        span_s = shown["time_s"].min(), shown["time_s"].max()
        for one, number in zip(axes, face_ids, strict=True):
            _name_gaps(one, shown["time_s"][shown["face_id"] == number].to_numpy(float), span_s)
    return axes


def _plot_bars(ax: Axes, emotions: Mapping[str, float]) -> None:
    bars = ax.barh([*emotions], [*emotions.values()], color=[*colors_of(emotions).values()])
    ax.bar_label(bars, fmt="{:.0%}", padding=3, fontsize="small")
    ax.set_xlim(0, 1.15)
    ax.invert_yaxis()
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def _checked_table(table: Any) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            "table must be the DataFrame that recognize_video returns, got "
            f"{type(table).__name__}; read a CSV file with pandas.read_csv first."
        )
    probabilities = [f"p_{name}" for name in _emotions_of(table)]
    missing = [name for name in (*_TIMELINE_COLUMNS, *probabilities) if name not in table]
    if missing:
        raise ValueError(f"table must have the columns of recognize_video, it lacks {missing}.")
    _check_one_video(table)
    return table


def _emotions_of(table: pd.DataFrame) -> list[str]:
    """Name the emotions that a table has probabilities of; all of ours if some of them lack."""
    columns = [name for name in table if str(name).startswith("p_")]
    names = [name.removeprefix("p_") for name in columns]
    are_some_of_ours = set(names) < set(EMOTIONS)
    if are_some_of_ours and not np.allclose(table[columns].sum(axis=1), 1, atol=0.01):
        return [*EMOTIONS]
    return names


def _check_one_video(table: pd.DataFrame) -> None:
    """Refuse several videos in one table: face 0 of one is not face 0 of another."""
    sources = table["source"].unique() if "source" in table else []
    if len(sources) > 1:
        names = [repr(name) for name in sources]
        raise ValueError(
            f"table must hold one video, it has {first_few(names)}; choose one first, such as "
            f'table[table["source"] == {names[0]}].'
        )
    steps_back = table.groupby("face_id")["time_s"].diff() < 0
    if steps_back.any():
        number = table["face_id"][steps_back.to_numpy()].iloc[0]
        raise ValueError(
            f"table must hold one video, in the order of time, but the times of face {number} go "
            "back; choose one video first, or if it is one, sort it with "
            'table.sort_values("time_s").'
        )


def _checked_faces(table: pd.DataFrame, face_id: Any) -> list[int]:
    counts = table["face_id"].value_counts()
    if face_id is None:
        return sorted(counts.index[:_MOST_FACES].tolist())
    wanted = list(face_id) if isinstance(face_id, Sequence | np.ndarray) else [face_id]
    if not all(isinstance(one, Integral) for one in wanted):
        raise TypeError(f"face_id must be a whole number, or several, got {face_id!r}.")
    if not wanted and len(counts):
        raise ValueError("face_id must name a face, got none; leave it out for those seen longest.")
    unknown = [one for one in wanted if one not in counts.index]
    if unknown:
        present = sorted(counts.index.tolist())
        raise ValueError(f"face_id must be in the table, {unknown} is not; it has {present}.")
    return [int(one) for one in wanted]


def _plot_face(ax: Axes, rows: pd.DataFrame, stacked: bool) -> None:
    time_s = rows["time_s"].to_numpy(float)
    breaks = _breaks(time_s)
    colors = colors_of(_emotions_of(rows))
    shares = rows[[f"p_{name}" for name in colors]].to_numpy(float).T
    (_plot_areas if stacked else _plot_curves)(ax, time_s, shares, breaks, colors)
    _plot_ribbon(ax, time_s, rows["label"].to_numpy(str), breaks, colors)
    ax.set_ylim(-0.09, 1.02)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.spines[["top", "right"]].set_visible(False)


def _plot_curves(
    ax: Axes, time_s: np.ndarray, shares: np.ndarray, breaks: np.ndarray, colors: Mapping[str, str]
) -> None:
    marker = "." if len(time_s) == 1 else ""  # one point makes no line
    for (name, color), each in zip(colors.items(), shares, strict=True):
        # A missing value ends a line.
        shown = np.insert(time_s, breaks, np.nan), np.insert(each, breaks, np.nan)
        ax.plot(*shown, f"{marker}-", color=color, label=name)


def _plot_areas(
    ax: Axes, time_s: np.ndarray, shares: np.ndarray, breaks: np.ndarray, colors: Mapping[str, str]
) -> None:
    labels = [*colors]
    for piece in np.split(np.arange(len(time_s)), breaks):
        times, heights = time_s[piece], shares[:, piece]
        if len(piece) == 1:
            times = times[0] - _INSTANT_S / 2, times[0] + _INSTANT_S / 2
            heights = heights.repeat(2, axis=1)
        ax.stackplot(times, heights, colors=[*colors.values()], labels=labels, lw=0)
        labels = []  # in the legend, each stands once


def _name_gaps(ax: Axes, time_s: np.ndarray, span_s: tuple[float, float]) -> None:
    """Say in each wide gap why nothing is drawn there; `span_s` is when the video has any face."""
    breaks = _breaks(time_s)
    ends = [span_s[0], *time_s[breaks - 1], time_s[-1]]
    starts = [time_s[0], *time_s[breaks], span_s[1]]
    for end, start in zip(ends, starts, strict=True):
        if start - end > _NAMED_GAP * (span_s[1] - span_s[0]):
            style = {"ha": "center", "va": "center", "fontsize": "small", "alpha": 0.7}
            ax.text((end + start) / 2, 0.5, "out of view", **style)


def _add_legend(ax: Axes, with_unsure: bool) -> None:
    handles = ax.get_legend_handles_labels()[0]
    if with_unsure:
        handles.append(Patch(label=UNSURE, **_unsure_style()))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)


def _share_times(axes: Sequence[Axes], time_s: pd.Series) -> None:
    """Show the same span of time in all panels, from a minute up in minutes and seconds."""
    first_s, last_s = time_s.min(), time_s.max()
    margin_s = 0.02 * (last_s - first_s) or 0.5
    for ax in axes:
        ax.set_xlim(first_s - margin_s, last_s + margin_s)
        round_ticks(ax.xaxis)
        if last_s >= 60:
            ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 3, 6, 10]))
            ax.xaxis.set_major_formatter(FuncFormatter(_clock))
    axes[-1].set_xlabel("Time in min:s" if last_s >= 60 else "Time in s")


def _breaks(time_s: np.ndarray) -> np.ndarray:
    """Return the indices at which the face comes back into view."""
    steps = np.diff(time_s)
    if not len(steps):
        return np.empty(0, int)
    return np.flatnonzero(steps > max(_GAP_S, _GAP_FRAMES * np.median(steps))) + 1


def _plot_ribbon(
    ax: Axes,
    time_s: np.ndarray,
    labels: np.ndarray,
    breaks: np.ndarray,
    colors: Mapping[str, str],
) -> None:
    starts = np.union1d(np.flatnonzero(labels[1:] != labels[:-1]) + 1, [0, *breaks]).astype(int)
    ends = np.append(starts[1:], len(time_s))
    for start, end in zip(starts, ends, strict=True):
        # A label lasts until the next one, except where the face goes out of view.
        last = end if end < len(time_s) and end not in breaks else end - 1
        label = labels[start]
        style = {"color": colors[label]} if label != UNSURE else _unsure_style()
        ax.axvspan(time_s[start], time_s[last], 0.01, 0.06, **style, linewidth=0)


def _unsure_style() -> dict[str, str]:
    return {"facecolor": "none", "edgecolor": plt.rcParams["text.color"], "hatch": "//////"}


def _clock(time_s: float, _: object = None) -> str:
    """Return seconds as minutes and seconds, such as "2:05" or "0:01.5"."""
    minutes, seconds = divmod(abs(round(time_s, 2)), 60)
    whole = f"{seconds:05.2f}".rstrip("0").rstrip(".")
    return f"{'-' if time_s < 0 else ''}{minutes:.0f}:{whole}"
