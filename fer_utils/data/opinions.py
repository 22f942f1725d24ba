"""Ten people's opinions of each face: FER+'s file beside ``fer2013.csv``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..emotions import EMOTIONS
from .csv_dialects import separator_of
from .parsing import parse_usage

if TYPE_CHECKING:
    import pandas as pd

# FER+'s names of our emotions, in the order of ours, and what else one could choose.
_EMOTION_COLUMNS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
ELSEWHERE = ("contempt", "unknown", "no face")
_OTHER_COLUMNS = ("contempt", "unknown", "nf")
_ENOUGH_TO_JUDGE = 100
_LEAST_AGREEMENT = 1 / 3  # FER2013's own labels are the majority's in 72%, chance in about 20%

Opinions = tuple[np.ndarray, np.ndarray]


def read_opinions(
    path: str | os.PathLike[str], labels: Mapping[str, np.ndarray]
) -> dict[str, Opinions]:
    """Read FER+'s ``fer2013new.csv`` for the rows of a ``fer2013.csv``.

    FER+ (Barsoum, Zhang, Canton Ferrer and Zhang, "Training Deep Networks for Facial Expression
    Recognition with Crowd-Sourced Label Distribution", 2016) asked ten people about each picture.
    Its rows stand in the order of FER2013's, and some name another row's picture file, so the
    rows count and not the names.

    Where at least half of a face's votes lie elsewhere, on contempt, unknown or no face, the
    votes left say too little about our emotions: FER2013's label then stands for its opinions.

    Parameters
    ----------
    path : str or path
        The CSV, with the columns Usage, neutral, happiness, surprise, sadness, anger, disgust,
        fear, contempt, unknown and NF.
    labels : mapping of str to ndarray of int, shape (n,)
        The labels of each part of the data set: "train", "validation" and "test".

    Returns
    -------
    dict of str to (ndarray, ndarray)
        For each of those parts: the shares of the seven emotions among the votes for them,
        float32 (n, 7) in the order of `EMOTIONS`, summing to 1; and the shares of `ELSEWHERE`
        among all votes, float32 (n, 3).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such CSV, its parts have other numbers of rows, or what people say is so far
        from the labels that the rows cannot be of the same pictures.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(
            f"opinions: there is no file {str(path)!r}. Give the path of FER+'s fer2013new.csv."
        )
    table = _read_table(path)
    parts = _parts(path, table["usage"])
    found = {}
    for part, own in labels.items():
        rows = np.flatnonzero(parts == part)
        if len(rows) != len(own):
            raise ValueError(
                f"opinions: {path} has {len(rows)} rows of the {part} part, the data set has "
                f"{len(own)}. The two go row by row, so both must be whole and nothing skipped."
            )
        ours = table[list(_EMOTION_COLUMNS)].to_numpy(np.float32)[rows]
        others = table[list(_OTHER_COLUMNS)].to_numpy(np.float32)[rows]
        found[part] = _shares(ours, others, own)
    _check_agreement(path, found, labels)
    return found


def strict_majority(opinions: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """Return the emotion that more than half of all votes name, int64 (n,); -1 where none is.

    Parameters
    ----------
    opinions : ndarray of float32, shape (n, 7)
        Shares of the emotions, summing to 1.
    elsewhere : ndarray of float32, shape (n, 3)
        Shares of all votes that name none of them.
    """
    shares = opinions * (1 - elsewhere.sum(axis=1, keepdims=True))
    # The least above half is 6 of 10; a rounded 5 of 10 must not pass for more.
    return np.where((shares > 0.5 + 1e-4).any(axis=1), shares.argmax(axis=1), -1)


def speaks(elsewhere: np.ndarray) -> np.ndarray:
    """Return, as bool (n,), whether more than half of a face's votes name one of our emotions.

    Elsewhere the label stands for the opinions; see `read_opinions`.
    """
    return elsewhere.sum(axis=1) < 0.5 - 1e-4


def _read_table(path: Path) -> "pd.DataFrame":
    import pandas as pd  # takes half a second, and who reads no opinions does without

    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            separator = separator_of(file.readline())
        table = pd.read_csv(path, sep=separator)
    except (ValueError, OSError) as error:  # pandas' own are kinds of ValueError
        raise ValueError(f"opinions: {path} is not a readable CSV ({error}).") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = {"usage", *_EMOTION_COLUMNS, *_OTHER_COLUMNS} - set(table.columns)
    if missing:
        raise ValueError(
            f"opinions: {path} lacks the columns {', '.join(sorted(missing))}. Expected FER+'s "
            "fer2013new.csv; it is no data set itself."
        )
    votes = table[[*_EMOTION_COLUMNS, *_OTHER_COLUMNS]]
    numeric = votes.apply(pd.to_numeric, errors="coerce")
    bad = ~np.isfinite(numeric).all(axis=1) | (numeric < 0).any(axis=1) | (numeric.sum(axis=1) <= 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"opinions: {path}, data row {row + 1} must hold numbers of votes, 0 or above and not "
            f"all 0, got {votes.iloc[row].tolist()}."
        )
    table[numeric.columns] = numeric
    return table


def _parts(path: Path, usages: "pd.Series") -> np.ndarray:
    try:
        part_of = {usage: parse_usage(str(usage)) for usage in usages.unique()}
    except ValueError as error:
        raise ValueError(f"opinions: {path}: {error}") from error
    return usages.map(part_of).to_numpy()


def _shares(ours: np.ndarray, others: np.ndarray, labels: np.ndarray) -> Opinions:
    elsewhere = others / (ours.sum(axis=1) + others.sum(axis=1))[:, None]
    heard = speaks(elsewhere)
    opinions = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    opinions[heard] = ours[heard] / ours[heard].sum(axis=1, keepdims=True)
    return opinions, elsewhere


def _check_agreement(
    path: Path, found: dict[str, Opinions], labels: Mapping[str, np.ndarray]
) -> None:
    majorities = np.concatenate([strict_majority(*found[part]) for part in labels])
    own = np.concatenate(list(labels.values()))
    decided = majorities >= 0
    agreement = (majorities == own)[decided].mean() if decided.any() else 1.0
    if decided.sum() >= _ENOUGH_TO_JUDGE and agreement < _LEAST_AGREEMENT:
        raise ValueError(
            f"opinions: what most people say in {path} is the data set's label in only "
            f"{agreement:.0%} of the faces, so its rows are not those of this data set. FER+ goes "
            "with fer2013.csv in its own order of rows."
        )
