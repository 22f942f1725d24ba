import copy
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from fer_utils import EMOTIONS, EmotionRecognizer, SoftVote, build_vgg
from fer_utils.files import sha256_of
from fer_utils.network.vote import apply_temperature, write_vote

pytestmark = pytest.mark.filterwarnings("ignore:.* does not say which emotions it tells apart")

FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)


def network(
    seed: int, num_classes: int = 7, side: int = 48, activation: str = "softmax"
) -> keras.Model:
    """Return a quick network that sees where a pixel stands."""
    start = keras.initializers.RandomNormal(stddev=0.05, seed=seed)
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(num_classes, activation=activation, kernel_initializer=start),
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
from fer_utils import EMOTIONS, EmotionRecognizer, SoftVote, build_vgg
for _ in range(4):
    vote = SoftVote([build_vgg(width=0.1)])
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
        (lambda one: ("ab",), ValueError, "models must be a list .* got 'ab'"),
        (lambda one: ([network(3, num_classes=3)],), ValueError, r"returns \(None, 3\)"),
        (lambda one: ([build_vgg((48, 48, 3))],), ValueError, r"'vgg', which takes .* 48, 3\)"),
        (lambda one: ([keras.Sequential()],), ValueError, "takes None and returns None"),
        (lambda one: ([one, network(3, side=40)],), ValueError, r"\[\(40, 40\), \(48, 48\)\]"),
        (lambda one: ([one], 0.0), ValueError, "temperature must be above 0, got 0.0"),
        (lambda one: ([one], -1.0), ValueError, "temperature must be above 0, got -1.0"),
        (lambda one: ([one], float("nan")), ValueError, "temperature must be above 0, got nan"),
        (lambda one: ([one], "warm"), TypeError, "temperature must be a number, got str"),
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
        (FACES[:, 1:], r"uint8 of shape \(5, 47, 48\)\. .*Input\(\(47, 48, 1\)\)"),
        (FACES / np.float32(255), r"float32 of shape \(5, 48, 48\)"),
    ],
)
def test_other_pictures_are_refused(models, images, got):
    with pytest.raises(
        ValueError, match=r"images must be uint8 of shape \(n, 48, 48\), got " + got
    ):
        SoftVote(models).predict_proba(images)
    assert SoftVote(models).predict_proba(FACES[0][None]).shape == (1, 7)  # as it says


def test_faces_of_another_size_are_told_at_that_size():
    faces = np.random.default_rng(2).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    model = network(1, side=64)
    vote = SoftVote([model])
    assert vote.input_size == (64, 64)
    assert np.allclose(vote.predict_proba(faces), probabilities_of(model, faces), atol=1e-6)


def test_networks_can_be_given_another_size_as_the_message_says():
    model = network(1, side=64)
    with pytest.raises(ValueError, match="Networks can be given") as caught:
        SoftVote([model]).predict_proba(FACES)
    remedy = str(caught.value)[str(caught.value).index("keras.Sequential") : -1]
    helped = SoftVote([eval(remedy, {"keras": keras, "model": model})])
    larger = layers.Resizing(64, 64)(FACES[..., None].astype(np.float32))
    expected = keras.ops.convert_to_numpy(model(larger))
    assert np.allclose(helped.predict_proba(FACES), expected, atol=1e-5)


def test_of_logits_the_softmax_is_taken():
    logits, softmax = network(1, activation="linear"), network(1)
    with pytest.raises(ValueError, match=r"'.*' returns -.*, and a sum of .*from_logits=True"):
        SoftVote([logits])
    told = SoftVote([logits], from_logits=True).predict_proba(FACES)
    assert np.allclose(told, probabilities_of(softmax, FACES), atol=1e-6)


def test_of_probabilities_no_softmax_is_taken(models):
    with pytest.raises(ValueError, match=r"return probabilities already .* leave from_logits out"):
        SoftVote(models, from_logits=True)
    with pytest.raises(TypeError, match="from_logits must be True or False, got 'yes'"):
        SoftVote(models, from_logits="yes")


def test_what_is_no_probability_is_refused_with_its_remedy():
    with pytest.raises(ValueError, match=r"returns 0\.\d+ to 0\.\d+, .* Let it end in a softmax"):
        SoftVote([network(1, activation="sigmoid")])


def test_a_network_that_fails_later_is_named():
    model = network(1)
    vote = SoftVote([model])
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(ValueError, match=r"returns nan to nan, .*training has failed"):
        vote.predict_proba(FACES)
    assert vote.predict_proba(FACES[:0]).shape == (0, 7)


def test_a_network_that_rescales_no_pixels_is_warned_of_and_helped_as_told(recwarn):
    raw = keras.Sequential(network(1).layers[1:])
    raw.build((None, 48, 48, 1))
    with pytest.warns(UserWarning, match="is given pixels of 0 to 255, and nothing before") as told:
        SoftVote([raw])
    remedy = str(told[0].message)
    remedy = remedy[remedy.index("keras.Sequential") : -1]
    recwarn.clear()
    helped = SoftVote([eval(remedy, {"keras": keras, "model": raw})])
    pixels = keras.Input((48, 48, 1))
    divided = SoftVote([keras.Model(pixels, raw(pixels / 255))])
    assert not [warned for warned in recwarn if "pixels" in str(warned.message)]
    expected = keras.ops.convert_to_numpy(raw(FACES[..., None] / np.float32(255)))
    for vote in (helped, divided, SoftVote([network(1)])):
        assert np.allclose(vote.predict_proba(FACES), expected, atol=1e-5)


def test_the_projects_own_networks_are_not_warned_of(recwarn):
    SoftVote([build_vgg()])
    assert not recwarn


def test_networks_for_colours_or_any_size_are_helped_by_what_is_told():
    gray = keras.Input((48, 48, 1))
    colors = keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(7, "softmax", kernel_initializer="zeros"),
        ]
    )
    with pytest.raises(ValueError, match=r"grey = keras.Input\(\(48, 48, 1\)\); SoftVote") as c:
        SoftVote([colors])
    assert "keras.Model(grey, model(keras.layers.Concatenate()([grey] * 3)))" in str(c.value)
    helped = keras.Model(gray, colors(layers.Concatenate()([gray] * 3)))
    assert np.allclose(SoftVote([helped]).predict_proba(FACES), 1 / 7)

    any_size = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7, "softmax", kernel_initializer="zeros"),
        ]
    )
    remedy = r"keras\.Sequential\(\[keras\.Input\(\(48, 48, 1\)\), model\]\)"
    with pytest.raises(ValueError, match=remedy):
        SoftVote([any_size])
    helped = keras.Sequential([keras.Input((48, 48, 1)), any_size])
    assert np.allclose(SoftVote([helped]).predict_proba(FACES), 1 / 7)


AFFECTNET = ("neutral", "happiness", "Sad", "surprise", "fear", "disgust", "anger")


def test_our_emotions_in_another_order_come_out_in_ours():
    model = network(1)
    vote = SoftVote([model], emotions=AFFECTNET)
    assert vote.emotions == EMOTIONS
    happy, angry = EMOTIONS.index("happy"), EMOTIONS.index("angry")
    returned = probabilities_of(model, FACES)
    for one in (vote, pickle.loads(pickle.dumps(vote)), copy.copy(vote), *vote.apart()):
        told = one.predict_proba(FACES)
        assert np.allclose(told[:, happy], returned[:, 1], atol=1e-6)
        assert np.allclose(told[:, angry], returned[:, 6], atol=1e-6)


def test_the_order_that_was_assumed_is_said(recwarn):
    model = network(1)
    with pytest.warns(UserWarning, match="in FER2013's order: angry, disgust.* Name its own"):
        SoftVote([model])
    recwarn.clear()
    SoftVote([model], emotions=EMOTIONS)
    assert not recwarn


def test_a_whole_file_of_our_own_network_does_not_say_what_it_learned(tmp_path, recwarn):
    model = build_vgg(width=0.05)
    SoftVote([model])
    assert not recwarn
    model.save(tmp_path / "whole.keras")
    whole = keras.models.load_model(tmp_path / "whole.keras")
    with pytest.warns(UserWarning, match="does not say which emotions"):
        SoftVote([whole])


@pytest.mark.slow
def test_pickled_and_copied_it_votes_the_same(models, vote_file):
    for vote in (SoftVote(models, 1.5), SoftVote.load(vote_file)):
        expected = vote.predict_proba(FACES)
        for other in (pickle.loads(pickle.dumps(vote)), copy.copy(vote), copy.deepcopy(vote)):
            assert other.temperature == 1.5
            assert np.allclose(other.predict_proba(FACES), expected, atol=1e-5)


def test_logits_stay_logits_when_it_is_pickled():
    vote = SoftVote([network(1, activation="linear")], from_logits=True)
    other = pickle.loads(pickle.dumps(vote))
    assert np.allclose(other.predict_proba(FACES), vote.predict_proba(FACES), atol=1e-6)


def test_networks_are_no_weights_files(models):
    for load in (SoftVote.from_weights, EmotionRecognizer.load):
        with pytest.raises(TypeError, match=r"named by their paths, got Sequential\. Networks go"):
            load([models[0]])


@pytest.mark.parametrize("name", ["whole.keras", "whole.h5", "whole.weights.h5"])
def test_a_whole_network_in_a_file_is_helped_by_what_is_told(tmp_path, models, name):
    path = tmp_path / name
    if name == "whole.weights.h5":  # Keras itself names none so
        models[0].save(tmp_path / "whole.h5")
        (tmp_path / "whole.h5").rename(path)
    else:
        models[0].save(path)
    remedy = f"SoftVote([keras.models.load_model({str(path)!r})])"
    for load in (SoftVote.from_weights, EmotionRecognizer.load):
        with pytest.raises(ValueError, match=r"holds a whole network") as caught:
            load([path])
        assert remedy in str(caught.value)
    vote = eval(remedy, {"SoftVote": SoftVote, "keras": keras})
    assert np.allclose(vote.predict_proba(FACES), probabilities_of(models[0], FACES), atol=1e-6)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> list[Path]:
    """The files of two untrained networks."""
    folder = tmp_path_factory.mktemp("weights")
    paths = [folder / f"{name}.weights.h5" for name in ("one", "two")]
    for path in paths:
        build_vgg().save_weights(path)
    return paths


@pytest.fixture
def vote_file(tmp_path, weights):
    folder = tmp_path / "weights"
    folder.mkdir()
    networks = []
    for path in weights:
        shutil.copy(path, folder)
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


def test_a_written_vote_tells_files_of_one_name_apart(tmp_path, weights):
    files = [tmp_path / folder / "best.weights.h5" for folder in ("a", "b")]
    for file, path in zip(files, weights, strict=True):
        file.parent.mkdir()
        shutil.copy(path, file)
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
    (tmp_path / "out").rename(tmp_path / "in" / "out")  # as it says
    write_vote(tmp_path / "in" / "vote.json", [tmp_path / "in" / "out"], 1.0)


def test_a_replaced_weights_file_is_named(vote_file):
    file = vote_file.parent / "weights" / "two.weights.h5"
    former = file.read_bytes()
    shutil.copy(file.with_name("one.weights.h5"), file)
    message = r"two\.weights\.h5' is not the file it was .*Put that file back .*or load what is"
    with pytest.raises(ValueError, match=message):
        SoftVote.load(vote_file)
    assert len(SoftVote.from_weights([file]).models) == 1
    file.write_bytes(former)
    assert len(SoftVote.load(vote_file).models) == 2


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
        '{"networks": [], "temperature": 1, "int8": {}}',
    ],
)
def test_a_malformed_vote_file_is_named(tmp_path, text):
    path = tmp_path / "vote.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"vote\.json' is not a vote file with 'networks'"):
        SoftVote.load(path)


def test_of_a_file_that_is_none_only_the_reason_is_shown(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8" * 10_000)
    with pytest.raises(ValueError, match=r"is not a vote file .*Name another") as refused:
        SoftVote.load(path)
    assert len(str(refused.value)) < 500


def test_what_is_no_path_is_refused():
    with pytest.raises(TypeError, match=r"path must name a vote file, got NoneType\."):
        SoftVote.load(None)
    with pytest.raises(TypeError, match=r"got int; write \['mine/best\.weights\.h5'\]"):
        SoftVote.from_weights(3)


def test_one_path_is_no_list_of_paths():
    with pytest.raises(ValueError, match=r"write \['a\.weights\.h5'\]"):
        SoftVote.from_weights("a.weights.h5")
