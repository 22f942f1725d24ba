from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from fer_utils import SoftVote, load_dataset
from fer_utils.data.dataset import Split
from fer_utils.faces.crop import crop_face
from fer_utils.lab import probes
from fer_utils.network.vgg import load_weights
from tests.helpers.made_probabilities import rows
from tests.helpers.portraits import NOBODY, PAIR

ROOT = Path(__file__).parents[2]
ANGRY, HAPPY = 0, 3
LEVELS = [(name, level) for name, d in probes.DAMAGES.items() for level in (*d.levels, d.undamaged)]


def sees_light() -> keras.Model:
    """Return a network for which bright places speak for angry, and against happy."""
    model = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(1, 3, padding="same", use_bias=False, name="light"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7, activation="softmax"),
        ]
    )
    kernel = np.zeros((1, 7))
    kernel[0, [ANGRY, HAPPY]] = 300, -300
    model.set_weights([np.full((3, 3, 1, 1), 1 / 9), kernel, np.eye(7)[HAPPY] * 5])
    return model


def spot(row: int, column: int) -> np.ndarray:
    face = np.zeros((48, 48), np.uint8)
    face[row - 4 : row + 4, column - 4 : column + 4] = 255
    return face


def test_the_map_marks_what_speaks_for_the_label():
    split = Split(np.stack([spot(10, 12), spot(34, 30)]), np.array([ANGRY, ANGRY]))
    maps = probes.grad_cam(sees_light(), split, layer="light", progress=False)
    assert maps.shape == (2, 48, 48)
    assert maps.dtype == np.float32
    for cam, (row, column) in zip(maps, [(10, 12), (34, 30)], strict=True):
        assert (cam.max(), cam.min()) == (1, 0)
        assert np.abs(np.argwhere(cam == 1).mean(axis=0) - (row, column)).max() <= 1


def test_what_speaks_against_the_label_is_not_marked():
    split = Split(spot(10, 12)[None], np.array([HAPPY]))
    assert not probes.grad_cam(sees_light(), split, layer="light", progress=False).any()


def test_no_faces_have_no_maps():
    nobody = Split(np.zeros((0, 48, 48), np.uint8), np.zeros(0, np.int64))
    assert probes.grad_cam(sees_light(), nobody, layer="light").shape == (0, 48, 48)


def test_more_faces_than_a_batch_keep_their_order():
    faces = np.stack([spot(8 + n % 32, 24) for n in range(70)])
    maps = probes.grad_cam(sees_light(), Split(faces, np.zeros(70, int)), layer="light")
    rows = [np.argwhere(cam == 1).mean(axis=0)[0] for cam in maps]
    assert np.abs(np.array(rows) - [8 + n % 32 for n in range(70)]).max() <= 1


@pytest.mark.slow
def test_the_maps_of_a_trained_network_go_with_its_weights():
    data = load_dataset(ROOT / "tests/fixtures/tiny_fer2013.zip", cache=False, progress=False)
    faces = data.validation.sample(10, random_state=0)
    network = load_weights(ROOT / "saved_models/vggnet.weights.h5")
    before = network.get_weights()
    check = probes.randomization_check(network, faces)
    blocks = ["none", "dense3", "dense2", "dense1", "block4", "block3", "block2", "block1"]
    assert check["randomized"].tolist() == blocks
    assert check["similarity"].iloc[0] == pytest.approx(1)
    assert abs(check["similarity"].iloc[-1]) < 0.5
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def test_an_explanation_is_of_the_emotion_that_is_named():
    images = np.stack([spot(10, 12), np.zeros((48, 48), np.uint8)])
    model = load_weights(ROOT / "saved_models/vggnet.weights.h5")
    said, maps = probes.explain(model, images)
    assert np.allclose(said, SoftVote([model]).predict_proba(images))
    named = Split(images, said.argmax(axis=1))
    assert np.allclose(maps, probes.grad_cam(model, named, progress=False))


def test_the_faces_of_a_picture_are_what_networks_see(detector):
    faces = probes.faces_in(PAIR, detector)
    expected = [crop_face(PAIR, box) for box in detector.detect(PAIR)]
    assert len(expected) == 2
    assert np.array_equal(faces, expected)
    assert probes.faces_in(NOBODY, detector).shape == (0, 48, 48)


def explanation(n: int, value: float, emotion: int) -> probes.Explanation:
    return probes.Explanation(rows([emotion] * n, 0.7), np.full((n, 48, 48), value))


def test_maps_lie_beside_their_face_with_what_the_network_says():
    images = np.stack([spot(10, 12), spot(34, 30)])
    told = {"one": explanation(2, 0.0, ANGRY), "two": explanation(2, 1.0, HAPPY)}
    grid = probes.plot_maps(images, told, np.array([ANGRY, HAPPY]))
    assert grid.shape == (2, 3)
    assert [ax.get_title() for ax in grid[0]] == ["", "one", "two"]
    assert [ax.get_xlabel() for ax in grid[1]] == ["label: happy", "angry 70%", "happy 70%"]
    assert np.array_equal(grid[1, 0].images[0].get_array(), images[1])
    assert grid[1, 2].images[1].get_array().all()


@pytest.mark.parametrize(("faces", "rows"), [(1, 1), (2, 2), (7, 3), (9, 9)])
def test_few_faces_stand_side_by_side_with_their_maps_below(faces, rows):
    images = np.stack([spot(10, 12)] * faces)
    told = {"one": explanation(faces, 0.0, ANGRY), "two": explanation(faces, 1.0, HAPPY)}
    grid = probes.plot_maps(images, told)
    assert grid.shape == (faces, 3)
    assert grid[0, 0].get_subplotspec().get_gridspec().nrows == rows
    assert "two" in (grid[0, 2].get_ylabel(), grid[0, 2].get_title())
    assert [ax.get_xlabel() for ax in grid[-1]] == ["", "angry 70%", "happy 70%"]


def test_faces_without_labels_and_no_faces_can_be_shown():
    grid = probes.plot_maps(spot(10, 12)[None], {"one": explanation(1, 1.0, HAPPY)})
    assert [ax.get_xlabel() for ax in grid[0]] == ["", "happy 70%"]
    nobody = np.zeros((0, 48, 48), np.uint8)
    (row,) = probes.plot_maps(nobody, {"one": explanation(0, 1.0, HAPPY)})
    assert [text.get_text() for text in row[0].texts] == ["No face found"]
    assert not any(ax.images for ax in row)


FACES = np.random.default_rng(0).integers(0, 256, (2, 48, 48)).astype(np.float32)


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_damage_keeps_shape_and_source_and_is_none_where_it_says_so(name, level):
    damage, before = probes.DAMAGES[name], FACES.copy()
    worse = damage.apply(FACES, level)
    assert worse.shape == FACES.shape
    assert np.array_equal(FACES, before)
    change = np.abs(worse - FACES).max()
    assert change <= 3 if level == damage.undamaged else change > 10  # JPEG is never without loss


def test_covers_lie_over_eyes_and_mouth():
    for name, lines in (("eyes covered", range(13, 25)), ("mouth covered", range(31, 43))):
        covered = probes.DAMAGES[name].apply(FACES, 12)
        changed = np.flatnonzero(np.abs(covered - FACES).max(axis=(0, 2)) > 0)
        assert changed.tolist() == list(lines)
        assert np.allclose(covered[:, lines[0]], FACES.mean(axis=(1, 2))[:, None])


def test_worse_is_further_from_the_original():
    for name in ("blur", "noise", "JPEG", "face size"):
        damage = probes.DAMAGES[name]
        levels = sorted(damage.levels, key=lambda level: abs(level - damage.undamaged))
        changes = [np.abs(damage.apply(FACES, level) - FACES).mean() for level in levels]
        assert changes == sorted(changes), name


@pytest.mark.slow
def test_accuracy_falls_with_the_damage_and_starts_undamaged():
    faces = np.stack([spot(10, 12)] * 10 + [np.zeros((48, 48), np.uint8)] * 10)
    split = Split(faces, np.array([ANGRY] * 10 + [HAPPY] * 10))
    table = probes.robustness_table(SoftVote([sees_light()]), split, progress=False)
    assert set(table["network"]) == {table["network"].iloc[0], "vote"}
    voted = table[table["network"] == "vote"].set_index(["damage", "level"])
    for name, damage in probes.DAMAGES.items():
        clean = voted.loc[(name, damage.undamaged)]
        assert (clean["accuracy"], clean["high"], clean["n"]) == (1, 1, 20)
        assert clean["low"] == pytest.approx(0.8389, abs=1e-4)  # Wilson's interval of 20 of 20
        assert len(voted.loc[name]) == len(damage.levels) + 1
    assert voted.loc[("brightness", 120), "accuracy"] == 0.5  # all look bright
    grid = probes.plot_robustness(table, FACES[0].astype(np.uint8))
    assert [ax.get_title() for ax in grid[::2].flat] == list(probes.DAMAGES)
    levels = sorted((*probes.DAMAGES["brightness"].levels, 0))
    strip, ax = grid[:2, 2]
    curve = next(line for line in ax.lines if line.get_label() == "vote")
    assert curve.get_xdata().tolist() == levels
    assert [tick.get_text() for tick in strip.get_xticklabels()] == [f"{x:g}" for x in levels]
    shown = np.hsplit(strip.images[0].get_array(), len(levels))
    undamaged, brightest = (each[:, 1:-1] for each in (shown[3], shown[-1]))  # without the gaps
    assert np.array_equal(undamaged, FACES[0])
    assert np.array_equal(brightest, np.minimum(FACES[0] + 120, 255))


def test_an_empty_split_is_refused():
    nobody = Split(np.zeros((0, 48, 48), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="split must hold at least one face, got none"):
        probes.robustness_table(SoftVote([sees_light()]), nobody)
