import shutil
from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import layers

from fer_utils import SoftVote, build_vgg
from fer_utils.network.openvino_network import load_network
from fer_utils.network.vgg import at_size, load_weights

READERS = pytest.mark.parametrize("read", [load_weights, load_network])

FACES = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def vgg() -> keras.Model:
    return build_vgg()


@pytest.fixture(scope="module")
def weights_file(vgg, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine.weights.h5"
    vgg.save_weights(path)
    return path


def layers_of(model: keras.Model, kind: type) -> list:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def predict(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(pixels))


def test_the_network_has_the_fifteen_layers_of_its_plan(vgg):
    convs = layers_of(vgg, layers.Conv2D)
    assert [conv.filters for conv in convs] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [conv.padding for conv in convs] == ["valid"] + ["same"] * 7
    assert {conv.kernel_size for conv in convs} == {(3, 3)}
    assert len(layers_of(vgg, layers.MaxPooling2D)) == len(layers_of(vgg, layers.Dropout)) == 4
    assert [dense.units for dense in layers_of(vgg, layers.Dense)] == [1024, 256, 7]


def test_every_weight_is_counted(vgg):
    filters, units = [1, 64, 64, 128, 128, 256, 256, 512, 512], [2048, 1024, 256]
    convs = sum(9 * a * b for a, b in pairwise(filters))
    dense = sum(a * b for a, b in pairwise(units))
    norms = 4 * (sum(filters[1:]) + sum(units[1:]))
    assert vgg.count_params() == convs + dense + norms + 256 * 7 + 7 == 7_056_199


def test_probabilities_are_float32_and_sum_to_one(vgg):
    probabilities = predict(vgg, FACES.astype(np.float32))
    assert probabilities.shape == (2, 7)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert not np.allclose(probabilities[0], probabilities[1])


def test_whole_and_floating_pixels_give_the_same(vgg):
    assert np.array_equal(predict(vgg, FACES), predict(vgg, FACES.astype(np.float32)))


def test_each_face_is_standardized_inside(vgg):
    inside = predict(vgg.get_layer("standardizing"), FACES.astype(np.float32))
    assert np.allclose(inside.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    assert np.allclose(inside.std(axis=(1, 2, 3)), 1, atol=1e-3)


@READERS
def test_neither_brightness_nor_contrast_matter(read, weights_file):
    vote = SoftVote([read(weights_file)])
    faces = FACES[..., 0] // 4 * 4  # so that a quarter of it is exact
    relit = np.concatenate([faces // 4, faces // 4 + 150])
    expected = np.tile(vote.predict_proba(faces), (2, 1))
    assert np.abs(vote.predict_proba(relit) - expected).max() < 5e-3


@READERS
def test_a_uniform_picture_has_probabilities(read, weights_file):
    uniform = np.stack([np.full((48, 48), grey, np.uint8) for grey in (0, 128, 255)])
    probabilities = SoftVote([read(weights_file)]).predict_proba(uniform)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(probabilities, probabilities[0], atol=1e-6)  # grey alone says nothing


def test_the_number_of_emotions_and_channels_may_be_another():
    model = build_vgg((48, 40, 3), num_classes=3, dropout=0.25, name="other")
    assert (model.name, model.output_shape) == ("other", (None, 3))
    assert {layer.rate for layer in layers_of(model, layers.Dropout)} == {0.25}


def test_a_narrow_network_has_the_same_plan(vgg):
    narrow = build_vgg(width=0.25)
    assert [layer.name for layer in narrow.layers[1:]] == [layer.name for layer in vgg.layers[1:]]
    assert narrow.get_layer("block4_conv2").filters == 128
    assert narrow.get_layer("dense1").units == 256
    assert narrow.output_shape == vgg.output_shape
    assert narrow.count_params() < vgg.count_params() / 15


@pytest.mark.slow
@pytest.mark.parametrize("size", range(34, 50))
def test_every_size_ends_in_two_by_two_and_shares_the_weights(vgg, size):
    small = at_size(vgg, size)
    assert small.input_shape == (None, size, size, 1)
    assert small.get_layer("block4_pool").compute_output_shape(
        small.get_layer("block4_conv2_relu").output.shape
    ) == (None, 2, 2, 512)
    assert small.count_params() == vgg.count_params()
    assert all(a is b for a, b in zip(small.weights, vgg.weights, strict=True))


def test_a_sequential_chain_keeps_its_first_layer():
    model = keras.Sequential(
        [keras.Input((48, 48, 1)), layers.Rescaling(2), layers.GlobalMaxPooling2D()]
    )
    assert predict(at_size(model, 34), np.ones((1, 34, 34, 1))).tolist() == [[2]]


@pytest.mark.slow
def test_training_at_one_size_changes_the_network_at_the_other():
    model = build_vgg()
    before = predict(model, FACES)
    small = at_size(model, 34)
    small.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", jit_compile=False)
    small.train_on_batch(FACES[:, 7:41, 7:41], np.eye(7)[[3, 4]])
    assert not np.allclose(predict(model, FACES), before)


def test_probabilities_stay_float32_in_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_vgg()
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    # bfloat16 has no numbers between 200 and 201.
    dark = np.float32(200) + np.linspace(-0.4, 0.4, 48 * 48, dtype=np.float32)
    inside = predict(model.get_layer("standardizing"), dark.reshape(1, 48, 48, 1))
    assert len(np.unique(inside.astype(np.float32))) > 1000
    probabilities = predict(model, FACES)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (48, 48)}, r"input_shape must be \(height, width, channels\)"),
        ({"input_shape": (48.0, 48, 1)}, "input_shape must be .* whole numbers"),
        ({"input_shape": (48, 48, 0)}, "input_shape must be .* whole numbers"),
        ({"input_shape": (33, 48, 1)}, r"34 to 49 px, got \(33, 48, 1\): resize the pictures"),
        ({"input_shape": (48, 50, 1)}, r"34 to 49 px, got \(48, 50, 1\)"),
        ({"num_classes": 1}, "num_classes must be a whole number of at least 2, got 1"),
        ({"width": 0}, "width must be above 0 and at most 1, got 0"),
        ({"width": 1.5}, "width must be above 0 and at most 1, got 1.5"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": -0.1}, "dropout must be at least 0 and below 1, got -0.1"),
    ],
)
def test_build_vgg_names_the_wrong_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_vgg(**arguments)


def test_weights_make_the_round_trip(vgg, weights_file):
    loaded = load_weights(str(weights_file))
    assert loaded.name == "mine"
    assert np.array_equal(predict(loaded, FACES), predict(vgg, FACES))


@READERS
def test_a_weights_path_may_begin_at_home(weights_file, monkeypatch, read):
    monkeypatch.setenv("HOME", str(weights_file.parent))
    assert read(f"~/{weights_file.name}").name == "mine"


@READERS
def test_a_weights_file_may_have_any_name(weights_file, tmp_path, read):
    path = tmp_path / "-größte (1).weights.h5"
    shutil.copy(weights_file, path)
    assert SoftVote([read(path)]).predict_proba(FACES[..., 0]).shape == (2, 7)


def damaged(path, weights_file):
    path.write_bytes(weights_file.read_bytes()[:100_000])


def of_no_hdf5(path, weights_file):
    path.write_text("<html>404</html>")


def of_three_emotions(path, weights_file):
    build_vgg(num_classes=3).save_weights(path)


def of_another_network(path, weights_file):
    keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(7)]).save_weights(
        path
    )


def of_other_channels(path, weights_file):
    build_vgg((48, 48, 3)).save_weights(path)


@pytest.fixture(
    scope="module",
    params=[damaged, of_no_hdf5, of_three_emotions, of_another_network, of_other_channels],
    ids=lambda spoil: spoil.__name__,
)
def spoilt(request, weights_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("spoilt") / "spoilt.weights.h5"
    request.param(path, weights_file)
    return path


@READERS
@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_file_that_holds_no_such_weights_is_named(spoilt, read):
    with pytest.raises(ValueError, match=r"spoilt\.weights\.h5' does not hold the weights of"):
        read(spoilt)


@READERS
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"no weights file '.*none\.weights\.h5'"):
        read(tmp_path / "none.weights.h5")


@READERS
def test_a_file_of_another_format_is_refused(tmp_path, read):
    for name, message in (
        ("model.keras", "holds a whole network, not the weights of build_vgg"),
        ("model.pt", r"files named \*\.weights\.h5, got 'model\.pt'"),
    ):
        (tmp_path / name).touch()
        with pytest.raises(ValueError, match=message):
            read(tmp_path / name)


@pytest.fixture(scope="module")
def old_file(vgg, tmp_path_factory):
    """The same weights, in a network that rescales its pixels as fer_utils 0.1 did."""
    inputs = keras.Input((48, 48, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for layer in vgg.layers[2:]:
        x = layer(x)
    path = tmp_path_factory.mktemp("old") / "old.weights.h5"
    keras.Model(inputs, x).save_weights(path)
    return path


@READERS
def test_weights_for_rescaled_pixels_cannot_vote(old_file, read):
    with pytest.raises(ValueError, match=r"does not standardize its faces.*--weights FILE --resc"):
        read(old_file)


def test_weights_for_rescaled_pixels_are_taken_when_told_what_they_are(old_file, vgg):
    """On faces of the spread that they learned from, they say what they said."""
    pixels = FACES.astype(np.float32)
    mean, spread = pixels.mean(axis=(1, 2), keepdims=True), pixels.std(axis=(1, 2), keepdims=True)
    seen = (pixels - mean) / spread * 74 / 127.5  # what rescaling makes of mean 127.5 and sd 74
    x = keras.Input((48, 48, 1))
    rest = x
    for layer in vgg.layers[2:]:
        rest = layer(rest)
    expected = predict(keras.Model(x, rest), seen)
    assert np.allclose(predict(load_weights(old_file, rescaled=True), FACES), expected, atol=1e-4)


def test_marked_weights_are_taken_as_they_are(weights_file, vgg):
    assert np.array_equal(
        predict(load_weights(weights_file, rescaled=True), FACES), predict(vgg, FACES)
    )
