from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils.data.dataset import FerDataset, Split, load_dataset
from fer_utils.data.duplicates import drop_duplicates
from fer_utils.data.opinions import read_opinions, speaks, strict_majority
from fer_utils.data.oversampling import oversample
from fer_utils.emotions import EMOTIONS

FIXTURES = Path(__file__).parents[1] / "fixtures"
TINY, VOTES = FIXTURES / "tiny_fer2013.zip", FIXTURES / "tiny_fer2013new.csv"
COLUMNS = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
).split(",")
HAPPY, SAD, NEUTRAL = map(EMOTIONS.index, ("happy", "sad", "neutral"))


@pytest.fixture(scope="module")
def tiny() -> FerDataset:
    return load_dataset(TINY, opinions=VOTES, cache=False, progress=False)


def votes_file(folder: Path, *rows: dict, usage: str = "Training") -> Path:
    """Write rows of votes by FER+'s column names."""
    full = [
        {"Usage": usage, "Image name": "x.png", **dict.fromkeys(COLUMNS[2:], 0)} | r for r in rows
    ]
    path = folder / "votes.csv"
    pd.DataFrame(full, columns=COLUMNS).to_csv(path, index=False)
    return path


def read(path: Path, *labels: int) -> tuple[np.ndarray, np.ndarray]:
    return read_opinions(path, {"train": np.array(labels)})["train"]


def test_votes_become_shares_in_our_order_of_emotions(tmp_path):
    by_emotion = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    path = votes_file(tmp_path, *({name: 7, "unknown": 3} for name in by_emotion))
    opinions, elsewhere = read(path, *range(7))
    assert opinions.dtype == elsewhere.dtype == np.float32
    assert np.array_equal(opinions, np.eye(7))
    assert np.allclose(elsewhere, [0, 0.3, 0])


def test_shares_are_of_the_votes_for_our_emotions(tmp_path):
    row = {"happiness": 4, "neutral": 2, "contempt": 1, "unknown": 2, "NF": 1}
    opinions, elsewhere = read(votes_file(tmp_path, row), SAD)
    assert np.allclose(opinions[0, [HAPPY, NEUTRAL]], [2 / 3, 1 / 3])
    assert np.allclose(elsewhere, [[0.1, 0.2, 0.1]])


def test_where_half_the_votes_lie_elsewhere_the_label_stands_for_them(tmp_path):
    half, all_of_it = {"happiness": 5, "contempt": 5}, {"NF": 10}
    opinions, elsewhere = read(votes_file(tmp_path, half, all_of_it), SAD, NEUTRAL)
    assert opinions.argmax(axis=1).tolist() == [SAD, NEUTRAL]
    assert opinions.max(axis=1).tolist() == [1, 1]
    assert speaks(elsewhere).tolist() == [False, False]


@pytest.mark.parametrize(
    ("votes", "majority"),
    [
        ({"happiness": 6, "neutral": 4}, HAPPY),
        ({"happiness": 5, "neutral": 5}, -1),
        ({"happiness": 5, "neutral": 3, "unknown": 2}, -1),  # 62% of those for one of ours
        ({"happiness": 6, "NF": 4}, HAPPY),
        ({"happiness": 4, "NF": 6}, -1),
        ({"happiness": 6, "neutral": 5}, HAPPY),  # some rows of FER+ do not add up to ten
    ],
)
def test_a_majority_is_more_than_half_of_all_votes(tmp_path, votes, majority):
    assert strict_majority(*read(votes_file(tmp_path, votes), SAD)).tolist() == [majority]


def test_every_part_carries_its_own_rows(tiny):
    rows = pd.read_csv(VOTES)
    for name, usage in {
        "train": "Training",
        "validation": "PublicTest",
        "test": "PrivateTest",
    }.items():
        split, own = tiny.splits()[name], rows[rows["Usage"] == usage]
        ours = own[["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]]
        heard = split.heard()
        assert 0 < (~heard).sum() < 15
        expected = ours.div(ours.sum(axis=1), axis=0).to_numpy()
        assert np.allclose(split.opinions[heard], expected[heard])


def test_pictures_and_labels_are_those_of_before(tiny):
    plain = load_dataset(TINY, cache=False, progress=False)
    assert np.array_equal(plain.train.images, tiny.train.images)
    assert np.array_equal(plain.train.labels, tiny.train.labels)
    assert plain.train.opinions is None
    assert plain.train.fingerprint() != tiny.train.fingerprint()


def test_opinions_come_along_wherever_faces_go(tiny):
    chosen = np.array([5, 0, 7])
    assert np.array_equal(tiny.train.take(chosen).opinions, tiny.train.opinions[chosen])
    whole = tiny.all_faces()
    assert np.array_equal(whole.opinions[-1], tiny.test.opinions[-1])
    assert np.array_equal(whole.elsewhere[: len(tiny.train)], tiny.train.elsewhere)
    assert drop_duplicates(tiny).train.opinions is not None


def test_targets_blend_label_and_opinions(tiny):
    labels = np.eye(7)[tiny.train.labels]
    assert np.array_equal(tiny.train.targets(), labels)
    assert np.array_equal(tiny.train.targets(1), tiny.train.opinions)
    quarter = tiny.train.targets(0.25)
    assert quarter.dtype == np.float32
    assert np.allclose(quarter, 0.75 * labels + 0.25 * tiny.train.opinions)


def test_without_opinions_only_labels_can_be_learned(tiny):
    plain = Split(tiny.train.images, tiny.train.labels)
    assert plain.targets(0).shape == (len(plain), 7)
    for ask in (plain.majority, plain.heard, lambda: plain.targets(0.5)):
        with pytest.raises(ValueError, match=r"no opinions.*opinions='fer2013new.csv'"):
            ask()


# What load_dataset says of a file that does not fit


def test_a_part_of_another_length(tmp_path):
    path = votes_file(tmp_path, {"neutral": 10})
    with pytest.raises(ValueError, match="1 rows of the train part, the data set has 304"):
        load_dataset(TINY, opinions=path, cache=False, progress=False)


def test_rows_in_another_order(tmp_path):
    rows = pd.read_csv(VOTES)
    shuffled = rows.groupby("Usage", group_keys=False, sort=False).sample(frac=1, random_state=0)
    shuffled.to_csv(tmp_path / "votes.csv", index=False)
    with pytest.raises(ValueError, match=r"only [12].% of the faces, so its rows are not those"):
        load_dataset(TINY, opinions=tmp_path / "votes.csv", cache=False, progress=False)


def test_pictures_in_folders_have_no_rows(tmp_path, tiny):
    from PIL import Image

    for emotion, image in zip(EMOTIONS, tiny.train.images, strict=False):
        for part in ("train", "validation"):
            (tmp_path / "data" / part / emotion).mkdir(parents=True)
            Image.fromarray(image).save(tmp_path / "data" / part / emotion / "1.png")
    with pytest.raises(ValueError, match="holds pictures in files, which have no order of rows"):
        load_dataset(tmp_path / "data", opinions=VOTES, cache=False, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns=["NF", "fear"]), "lacks the columns fear, nf"),
        (lambda rows: rows.assign(Usage="Train"), "unknown Usage 'Train', expected Training"),
        (lambda rows: rows.assign(fear="many"), r"data row 1 must hold numbers of votes.*'many'"),
        (lambda rows: rows.assign(fear=-1), "data row 1 must hold numbers of votes"),
        (lambda rows: rows.assign(neutral=0), "data row 1 must hold .* not all 0"),
    ],
)
def test_a_file_that_is_not_fer_plus(tmp_path, change, message):
    path = votes_file(tmp_path, {"neutral": 10})
    change(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        read(path, NEUTRAL)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"opinions: there is no file .*fer2013new\.csv"):
        read_opinions(tmp_path / "votes.csv", {})


@pytest.mark.parametrize(
    ("opinions", "elsewhere", "message"),
    [
        (np.full((2, 7), 1 / 7, np.float32), None, "together or not at all"),
        (np.full((2, 7), 1 / 7), np.zeros((2, 3), np.float32), "opinions must be a float32 array"),
        (np.full((2, 7), 1 / 5, np.float32), np.zeros((2, 3), np.float32), "sum to 1"),
        (np.full((3, 7), 1 / 7, np.float32), np.zeros((3, 3), np.float32), "as long as labels, 2"),
    ],
)
def test_a_split_refuses_opinions_that_are_none(opinions, elsewhere, message):
    with pytest.raises(ValueError, match=message):
        Split(np.zeros((2, 48, 48), np.uint8), np.zeros(2, np.int64), opinions, elsewhere)


# Balancing


def test_smote_blends_opinions_with_the_weights_of_the_pixels(tiny):
    """The grey value of these uniform faces tells how much of either neighbour is in a new one."""
    grey = np.repeat(np.arange(40, 240, 10), 1)
    labels = np.repeat([HAPPY, SAD], [12, 8])
    images = np.tile(grey.astype(np.uint8)[:, None, None], (1, 48, 48))
    # So that the opinions, too, tell the grey value.
    happy = np.float32(grey / 250)
    opinions = np.zeros((20, 7), np.float32)
    opinions[:, HAPPY], opinions[:, SAD] = happy, 1 - happy
    elsewhere = np.tile(np.float32(grey / 1000)[:, None], (1, 3))
    balanced = oversample(Split(images, labels, opinions, elsewhere), k_neighbors=2)
    assert balanced.counts() == dict.fromkeys(EMOTIONS, 0) | {"happy": 12, "sad": 12}
    new_grey = balanced.images[:, 0, 0]
    assert set(new_grey) - set(grey)
    assert np.allclose(balanced.opinions[:, HAPPY], new_grey / 250, atol=0.5 / 250 + 1e-4)
    assert np.allclose(balanced.elsewhere, new_grey[:, None] / 1000, atol=0.5 / 1000 + 1e-4)
    assert np.allclose(balanced.opinions.sum(axis=1), 1)


def test_opinions_do_not_change_who_is_whose_neighbour(tiny):
    plain = oversample(Split(tiny.train.images, tiny.train.labels))
    assert np.array_equal(plain.images, oversample(tiny.train).images)


@pytest.mark.parametrize("method", ["smote", "random"])
def test_balanced_is_what_the_blend_puts_first(tiny, method):
    balanced = oversample(tiny.train, method, opinion_share=1.0)
    assert len(balanced) > len(tiny.train)
    firsts = np.bincount(_first(balanced, 1.0), minlength=7)
    # New faces lie between faces of one first emotion, so they share it.
    assert set(firsts) == {firsts.max()}
    # Labels of old faces stay what they were.
    old = {
        image.tobytes(): label
        for image, label in zip(tiny.train.images, tiny.train.labels, strict=True)
    }
    kept = [i for i, image in enumerate(balanced.images) if image.tobytes() in old]
    assert all(balanced.labels[i] == old[balanced.images[i].tobytes()] for i in kept)


def _first(split: Split, share: float) -> np.ndarray:
    targets = split.targets(share)
    own = targets[np.arange(len(split)), split.labels]
    return np.where(own >= targets.max(axis=1) - 1e-5, split.labels, targets.argmax(axis=1))


def test_up_to_half_the_label_comes_first(tiny):
    assert np.array_equal(
        oversample(tiny.train, opinion_share=0.5).labels, oversample(tiny.train).labels
    )
