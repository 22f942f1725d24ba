"""A data set looked over: copies, contradictions, blanks, light, mean faces, and a map of it."""

import contextlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from tqdm.auto import tqdm

from ..data.dataset import FerDataset, Split
from ..data.duplicates import find_duplicates
from ..emotions import EMOTIONS, colors_of
from ..extras import training_extra
from ..plots.axes import MATRIX_SIZE, new_grid, panels, write_in_cells
from ..plots.evaluation import name_confusion_axes
from ..quiet_keras import keras

with training_extra():
    import seaborn as sns
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.metrics import confusion_matrix

_MAPPED_COMPONENTS = 50  # as van der Maaten and Hinton reduce their data before t-SNE
_PERPLEXITY = 30  # of t-SNE; it must be below the number of faces
_ITERATIONS = 1000  # of t-SNE, scikit-learn's own number
_BATCH = 64
_LARGEST_DOT = 60  # of a feature map, in square points


def audit_table(data: FerDataset) -> pd.DataFrame:
    """Count in each split what an honest measurement must know of.

    Parameters
    ----------
    data : FerDataset
        As `load_dataset` read it, before `drop_duplicates`.

    Returns
    -------
    pandas.DataFrame
        One row a split. Columns, numbers of faces: faces; blank, of one grey value throughout;
        repeats, copies beyond the first within the split; also in NAME, for each other split;
        contradicted, with a copy anywhere that is labelled otherwise.
    """
    splits = data.splits()
    rows = {
        name: {"faces": len(split), "blank": int(is_blank(split).sum())}
        for name, split in splits.items()
    }
    counts = {name: Counter() for name in splits}
    for group in find_duplicates(data):
        labels = {int(splits[name].labels[index]) for name, index in group}
        held_by = Counter(name for name, _ in group)
        for name, n in held_by.items():
            counts[name]["repeats"] += n - 1
            counts[name]["contradicted"] += n if len(labels) > 1 else 0
            counts[name].update({f"also in {other}": n for other in held_by if other != name})
    columns = ["repeats", *(f"also in {name}" for name in splits), "contradicted"]
    for name in splits:
        rows[name] |= {column: counts[name][column] for column in columns}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def is_blank(split: Split) -> np.ndarray:
    """Return, as bool (n,), which faces have one grey value throughout."""
    return split.images.min(axis=(1, 2)) == split.images.max(axis=(1, 2))


def contradictions(data: FerDataset) -> pd.DataFrame:
    """List the pictures whose copies carry different labels.

    Returns
    -------
    pandas.DataFrame
        One row a picture: split and index of one of its copies; copies, how many there are;
        labels, such as ``"fear, surprise"``.
    """
    splits = data.splits()
    rows = []
    for group in find_duplicates(data):
        labels = sorted({int(splits[name].labels[index]) for name, index in group})
        if len(labels) > 1:
            names = ", ".join(data.emotions[label] for label in labels)
            rows.append((*group[0], len(group), names))
    return pd.DataFrame(rows, columns=["split", "index", "copies", "labels"])


def plot_contradictions(data: FerDataset, table: pd.DataFrame) -> np.ndarray:
    """Show pictures whose copies contradict each other, with all their labels.

    Parameters
    ----------
    data : FerDataset
    table : pandas.DataFrame
        A few rows, one at least, of `contradictions`.

    Returns
    -------
    ndarray of Axes, shape (number of rows,)
    """
    axes = new_grid(1, len(table), (1.8 * len(table), 2.2))[0]
    for ax, row in zip(axes, table.itertuples(), strict=True):
        ax.imshow(data.splits()[row.split].images[row.index], cmap="gray", vmin=0, vmax=255)
        ax.set_title(row.labels.replace(", ", "\n"), fontsize="medium")
        ax.axis("off")
    return axes


def opinion_table(data: FerDataset) -> pd.DataFrame:
    """Count in each split what people said of its faces, beside what their labels say.

    Parameters
    ----------
    data : FerDataset
        With opinions.

    Returns
    -------
    pandas.DataFrame
        One row a split: faces; unheard, those whose opinions their label stands for, since half
        of the votes or more name none of the seven emotions (`Split.heard`); majority, those of
        which more than half of the people named one of the seven; agreeing, the share of these
        whose label is that emotion, 0 to 1.

    Raises
    ------
    ValueError
        If there are no opinions.
    """
    rows = {}
    for name, split in data.splits().items():
        majority = split.majority()
        decided = majority >= 0
        rows[name] = {
            "faces": len(split),
            "unheard": int((~split.heard()).sum()),
            "majority": int(decided.sum()),
            "agreeing": float((majority == split.labels)[decided].mean()) if decided.any() else 0.0,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def plot_opinions(split: Split, *, ax: Axes | None = None) -> Axes:
    """Draw what people see in the faces of each label, in per cent.

    Parameters
    ----------
    split : Split
        With opinions; of each label's faces, those with a strict majority count.
    ax : Axes, optional

    Raises
    ------
    ValueError
        If there are no opinions, or no face has a majority.
    """
    majority = split.majority()
    decided = majority >= 0
    if not decided.any():
        raise ValueError("split must hold a face of which most people said the same, got none.")
    ax = panels(ax, 1, size=MATRIX_SIZE)[0]
    counts = confusion_matrix(split.labels[decided], majority[decided], labels=range(len(EMOTIONS)))
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [f"{name} ({n})" for name, n in zip(EMOTIONS, counts.sum(axis=1), strict=True)]
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    write_in_cells(image, [[f"{share:.0f}" if share else "" for share in row] for row in shares])
    name_confusion_axes(ax)
    ax.set_yticks(range(len(EMOTIONS)), names)
    ax.set(
        xlabel="What most people see",
        ylabel="Label (faces)",
        title="What people see in a label's faces, in per cent",
    )
    return ax


def plot_light(split: Split) -> np.ndarray:
    """Draw how brightness and contrast are spread, for each emotion.

    Parameters
    ----------
    split : Split
        One face at least.

    Returns
    -------
    ndarray of Axes, shape (2,)
        Mean grey value and its standard deviation, both 0 to 255.
    """
    _check_faces(split)
    faces = pd.DataFrame(
        {
            "emotion": np.array(split.emotions)[split.labels],
            "Brightness: mean grey value": split.images.mean(axis=(1, 2)),
            "Contrast: standard deviation": split.images.std(axis=(1, 2)),
        }
    )
    axes = new_grid(1, 2, (11, 4))[0]
    colors = colors_of(split.emotions)
    style = {"order": split.emotions, "hue": "emotion", "palette": colors, "saturation": 1}
    for ax, measure in zip(axes, faces.columns[1:], strict=True):
        sns.boxplot(faces, x=measure, y="emotion", fliersize=1, legend=False, ax=ax, **style)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylabel("")
    return axes


def mean_by_emotion(
    images: np.ndarray, labels: np.ndarray, emotions: Sequence[str] = EMOTIONS
) -> np.ndarray:
    """Return each emotion's mean picture, float (emotions, h, w); NaN where it does not occur.

    Parameters
    ----------
    images : ndarray, shape (n, h, w)
        Faces, or maps of where a network looks.
    labels : ndarray of int, shape (n,)
    emotions : sequence of str
        What the labels are positions in.
    """
    means = np.full((len(emotions), *images.shape[1:]), np.nan)
    for label in np.unique(labels):
        means[label] = images[labels == label].mean(axis=0)
    return means


def plot_by_emotion(
    rows: Mapping[str, np.ndarray], *, emotions: Sequence[str] = EMOTIONS, cmap: str = "gray"
) -> np.ndarray:
    """Draw a picture for each emotion, a row for each entry.

    Parameters
    ----------
    rows : mapping of str to ndarray, shape (emotions, h, w)
        From `mean_by_emotion`, by the rows' names.
    emotions : sequence of str
        Theirs.
    cmap : str
        Matplotlib's name of a colour map; each picture spans it.

    Returns
    -------
    ndarray of Axes, shape (number of rows, emotions)
    """
    grid = new_grid(len(rows), len(emotions), (11, 1.7 * len(rows) + 0.3))
    for axes, (name, pictures) in zip(grid, rows.items(), strict=True):
        for ax, picture in zip(axes, pictures, strict=True):
            ax.imshow(picture, cmap=cmap)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(name)
    for ax, emotion in zip(grid[0], emotions, strict=True):
        ax.set_title(emotion, fontsize="medium")
    return grid


def feature_map(
    model: keras.Model, split: Split, *, seed: int = 42, progress: bool = True
) -> np.ndarray:
    """Lay faces out in the plane so that neighbours are what the network sees as alike.

    The network's last features before its verdict, through PCA and t-SNE (van der Maaten and
    Hinton, 2008). Distances between far groups, and the groups' sizes, mean nothing.

    Parameters
    ----------
    model : keras.Model
        From `build_vgg` or `load_weights`.
    split : Split
        n faces, at least 5.
    seed : int
        Seed of t-SNE.
    progress : bool
        Whether to show how far the features and t-SNE have come.

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ValueError
        If there are fewer faces.
    """
    _check_faces(split, least=5)
    features = keras.Model(model.inputs, model.layers[-1].input)
    starts = range(0, len(split), _BATCH)
    shown = tqdm(starts, f"Features of {model.name}", unit="batch", disable=not progress)
    batches = (split.images[start : start + _BATCH, ..., None] for start in shown)
    seen = np.concatenate([features.predict_on_batch(batch) for batch in batches])
    components = min(_MAPPED_COMPONENTS, *seen.shape)
    reduced = PCA(components, random_state=seed).fit_transform(seen.astype(np.float64))
    perplexity = min(_PERPLEXITY, (len(split) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, random_state=seed, max_iter=_ITERATIONS, verbose=2)
    bar = tqdm(total=_ITERATIONS, desc=f"Layout of {model.name}", disable=not progress)
    with bar, contextlib.redirect_stdout(_Iterations(bar)):
        places = tsne.fit_transform(reduced)
        bar.update(bar.total - bar.n)  # it may have come to rest before
    return places.astype(np.float32)


class _Iterations(io.TextIOBase):
    """Takes what scikit-learn prints, its only way to tell how far t-SNE is, and moves a bar."""

    def __init__(self, bar: tqdm) -> None:
        self._bar = bar

    def write(self, text: str) -> int:
        for iteration in re.findall(r"Iteration (\d+)", text):
            self._bar.update(int(iteration) - self._bar.n)
        return len(text)


def plot_feature_map(
    places: np.ndarray,
    labels: np.ndarray,
    *,
    emotions: Sequence[str] = EMOTIONS,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a `feature_map`, a dot a face in the colour of its true emotion.

    Parameters
    ----------
    places : ndarray, shape (n, 2)
    labels : ndarray of int, shape (n,)
    emotions : sequence of str
        What the labels are positions in.
    title : str
    ax : Axes, optional
    """
    ax = panels(ax, 1, size=(9.5, 6))[0]
    size = np.clip(8000 / max(len(labels), 1), 8, _LARGEST_DOT)  # few dots are drawn larger
    for label, (emotion, color) in enumerate(colors_of(emotions).items()):
        x, y = places[labels == label].T
        ax.scatter(x, y, s=size, color=color, label=emotion, linewidths=0)
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    scale = np.sqrt(_LARGEST_DOT / size)  # the legend's are of one size, however many there are
    ax.legend(frameon=False, markerscale=scale, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _check_faces(split: Split, least: int = 1) -> None:
    if len(split) < least:
        raise ValueError(f"split must hold at least {least} faces, got {len(split)}.")
