import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from fer_utils import SoftVote, build_vgg
from fer_utils.files import sha256_of
from fer_utils.network.vote import apply_temperature, write_vote

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)


def network(seed: int, num_classes: int = 7, side: int = 48) -> keras.Model:
    """Return a quick network that sees where a pixel stands."""
    start = keras.initializers.RandomNormal(stddev=0.05, seed=seed)
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(num_classes, activation="softmax", kernel_initializer=start),
        ]
    )


@pytest.fixture(scope="module")
def models() -> list[keras.Model]:
    return [network(1), network(2)]


def probabilities_of(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(faces[..., None].astype(np.float32)))


def test_the_vote_is_the_mean_of_the_networks(models):
    expected = np.mean([probabilities_of(model, FACES) for model in models], axis=0)
    assert np.allclose(SoftVote(models).predict_proba(FACES), expected, atol=1e-6)


def test_one_network_may_vote_alone(models):
    alone = SoftVote(models[:1]).predict_proba(FACES)
    assert np.allclose(alone, probabilities_of(models[0], FACES), atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_probabilities_are_float32_rows_that_sum_to_one(models, n):
    probabilities = SoftVote(models, temperature=0.7).predict_proba(FACES[:n])
    assert probabilities.shape == (n, 7)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_many_faces_are_told_as_each_alone(models):
    faces = np.random.default_rng(1).integers(0, 256, (130, 48, 48), dtype=np.uint8)
    vote = SoftVote(models)
    alone = np.concatenate([vote.predict_proba(faces[i : i + 1]) for i in (0, 63, 64, 129)])
    assert np.allclose(vote.predict_proba(faces)[[0, 63, 64, 129]], alone, atol=1e-5)


_MANY_CALLS = """
import numpy as np
from fer_utils import SoftVote, build_vgg
for _ in range(4):
    vote = SoftVote([build_vgg()])
    for n in (1, 2, 3, 5, 1, 7):
        vote.predict_proba(np.zeros((n, 48, 48), np.uint8))
"""


@pytest.mark.slow
def test_another_number_of_faces_prints_no_warning():
    # A fresh process, because TensorFlow counts over all networks and warns only twice.
    run = [sys.executable, "-c", _MANY_CALLS]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stderr
    assert "retracing" not in printed


def test_a_network_trained_on_votes_as_it_is_now():
    model = network(1)
    vote = SoftVote([model])
    before = vote.predict_proba(FACES)
    model.set_weights(network(2).get_weights())
    after = vote.predict_proba(FACES)
    assert not np.allclose(after, before, atol=1e-3)
    assert np.allclose(after, probabilities_of(model, FACES), atol=1e-6)


def test_flip_averaging_does_not_tell_a_face_from_its_mirror_image(models):
    vote, mirrored = SoftVote(models), FACES[:, :, ::-1]
    assert not np.allclose(vote.predict_proba(FACES), vote.predict_proba(mirrored), atol=1e-3)
    flipped = vote.predict_proba(FACES, flip=True)
    assert np.allclose(flipped, vote.predict_proba(mirrored, flip=True), atol=1e-6)
    expected = (vote.predict_proba(FACES) + vote.predict_proba(mirrored)) / 2
    assert np.allclose(flipped, expected, atol=1e-6)


@pytest.mark.parametrize(("temperature", "change"), [(0.5, 1), (1.0, 0), (3.0, -1)])
def test_a_temperature_changes_the_confidence_and_not_the_order(models, temperature, change):
    plain = SoftVote(models).predict_proba(FACES)
    tempered = SoftVote(models, temperature).predict_proba(FACES)
    assert np.array_equal(tempered.argsort(axis=1), plain.argsort(axis=1))
    gain = tempered.max(axis=1) - plain.max(axis=1)
    assert np.array_equal(np.sign(np.round(gain, 6)), np.full(len(FACES), change))


def test_a_temperature_divides_the_logits():
    logits = np.array([[2.0, 0.0, -1.0, 0.5, 0.0, 0.0, 1.0]])

    def softmax(z):
        return np.exp(z) / np.exp(z).sum()

    assert np.allclose(apply_temperature(softmax(logits), 2.5), softmax(logits / 2.5), atol=1e-6)


def test_a_probability_of_zero_stays_a_number():
    certain = np.eye(7, dtype=np.float32)[[3]]
    assert np.array_equal(apply_temperature(certain, 0.5), certain)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda one: ([],), ValueError, r"models must be a list .* got \[\]"),
        (lambda one: (one,), ValueError, r"Wrap a single network: SoftVote\(\[model\]\)"),
        (lambda one: (["a.weights.h5"],), TypeError, "models must be networks, got 'a.weights.h5'"),
        (lambda one: ([network(3, num_classes=3)],), ValueError, r"returns \(None, 3\)"),
        (lambda one: ([build_vgg((48, 48, 3))],), ValueError, r"'vgg', which takes .* 48, 3\)"),
        (lambda one: ([keras.Sequential()],), ValueError, "takes None and returns None"),
        (lambda one: ([one, network(3, side=40)],), ValueError, r"\[\(40, 40\), \(48, 48\)\]"),
        (lambda one: ([one], 0.0), ValueError, "temperature must be above 0, got 0.0"),
        (lambda one: ([one], -1.0), ValueError, "temperature must be above 0, got -1.0"),
        (lambda one: ([one], float("nan")), ValueError, "temperature must be above 0, got nan"),
    ],
)
def test_networks_that_cannot_vote_are_refused(models, arguments, error, message):
    with pytest.raises(error, match=message):
        SoftVote(*arguments(models[0]))


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (FACES[0], r"uint8 of shape \(48, 48\)\. A single face goes in as face\[None\]"),
        (FACES[..., None], r"uint8 of shape \(5, 48, 48, 1\)"),
        (FACES[:, 1:], r"uint8 of shape \(5, 47, 48\)"),
        (FACES / np.float32(255), r"float32 of shape \(5, 48, 48\)"),
    ],
)
def test_other_pictures_are_refused(models, images, got):
    with pytest.raises(
        ValueError, match=r"images must be uint8 of shape \(n, 48, 48\), got " + got
    ):
        SoftVote(models).predict_proba(images)


@pytest.fixture
def vote_file(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    networks = []
    for name in ("one", "two"):
        path = folder / f"{name}.weights.h5"
        build_vgg().save_weights(path)
        networks.append({"file": f"weights/{path.name}", "sha256": sha256_of(path)})
    file = tmp_path / "vote.json"
    file.write_text(json.dumps({"networks": networks, "temperature": 1.5}))
    return file


def test_a_vote_file_names_its_networks_and_temperature(vote_file):
    vote = SoftVote.load(vote_file)
    assert [model.name for model in vote.models] == ["one", "two"]
    assert vote.temperature == 1.5
    assert vote.predict_proba(FACES[:1]).shape == (1, 7)


def test_a_vote_path_may_begin_at_home(vote_file, monkeypatch):
    monkeypatch.setenv("HOME", str(vote_file.parent))
    assert SoftVote.load("~/vote.json").temperature == 1.5


def test_a_written_vote_tells_files_of_one_name_apart(tmp_path):
    files = [tmp_path / folder / "best.weights.h5" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        build_vgg().save_weights(file)
    write_vote(tmp_path / "vote.json", files, 1.25)
    written = json.loads((tmp_path / "vote.json").read_text())
    assert [n["file"] for n in written["networks"]] == ["a/best.weights.h5", "b/best.weights.h5"]
    loaded = SoftVote.load(tmp_path / "vote.json").predict_proba(FACES)
    assert np.array_equal(loaded, SoftVote.from_weights(files, 1.25).predict_proba(FACES))


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["in/a", "in/none"], FileNotFoundError, "no weights file .*none"),
        (["in/a", "in/../in/a"], ValueError, r"each file once, got \['a', 'a'\]"),
        (["in/a", "out"], ValueError, "must stand in the vote file's folder .*copy it there"),
        (["in/../out"], ValueError, "must stand in the vote file's folder"),
    ],
)
def test_a_vote_that_could_not_be_loaded_is_not_written(tmp_path, names, error, message):
    (tmp_path / "in").mkdir()
    for name in ("in/a", "out"):
        (tmp_path / name).touch()
    with pytest.raises(error, match=message):
        write_vote(tmp_path / "in" / "vote.json", [tmp_path / name for name in names], 1.0)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a"]


def test_a_replaced_weights_file_is_named(vote_file):
    build_vgg().save_weights(vote_file.parent / "weights" / "two.weights.h5")
    with pytest.raises(ValueError, match=r"two\.weights\.h5' is not the file its vote names"):
        SoftVote.load(vote_file)


def test_a_missing_weights_file_is_named(vote_file):
    (vote_file.parent / "weights" / "one.weights.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"one\.weights\.h5"):
        SoftVote.load(vote_file)


def test_a_missing_vote_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no vote file '.*none\.json'"):
        SoftVote.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"networks": []}',
        '{"networks": [{"file": "a.weights.h5"}], "temperature": 1}',
        '{"networks": [{"file": 1, "sha256": "a"}], "temperature": 1}',
        '{"networks": [], "temperature": "warm"}',
    ],
)
def test_a_malformed_vote_file_is_named(tmp_path, text):
    path = tmp_path / "vote.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"vote\.json' is not a vote file with 'networks'"):
        SoftVote.load(path)


def test_one_path_is_no_list_of_paths():
    with pytest.raises(ValueError, match=r"write \['a\.weights\.h5'\]"):
        SoftVote.from_weights("a.weights.h5")
