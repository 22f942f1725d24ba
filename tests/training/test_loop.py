import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from fer_utils import EMOTIONS, evaluate, load_dataset, train
from fer_utils.network.vgg import build_vgg, load_weights
from fer_utils.network.weights_file import save_half
from fer_utils.training import callbacks, loop, run_folder
from tests.helpers.data_sets import few_of_each, write_fer2013
from tests.helpers.networks import narrow

ROOT = Path(__file__).parents[2]
TINY = load_dataset(ROOT / "tests/fixtures/tiny_fer2013.zip", cache=False, progress=False)
TRAIN, VALIDATION = TINY.train.take(slice(0, 96)), TINY.validation
STEPS = 6  # an epoch, in batches of 16
EVEN = dict.fromkeys(EMOTIONS, 1.0)
OPTIONS = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.3,
    "image_sizes": {0: 34, 2: 48},
    "progress": False,
}


def run(folder: Path, model: keras.Model | None = None, **options) -> pd.DataFrame:
    return train(model or narrow(), TRAIN, VALIDATION, run_dir=folder, **(OPTIONS | options))


def arrays_in(file: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(file) as store:
        store.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def assert_same_run(folder: Path, expected: Path) -> None:
    assert (folder / "history.csv").read_text() == (expected / "history.csv").read_text()
    for name in ("best.weights.h5", "last.weights.h5"):
        found, wanted = arrays_in(folder / name), arrays_in(expected / name)
        assert found.keys() == wanted.keys()
        assert all(np.array_equal(found[key], wanted[key]) for key in wanted), name


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """The folder of a run that was never cut off."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    model = narrow()
    with pytest.MonkeyPatch.context() as patch:
        keep_states(patch, folder)
        run(folder, model)
    model.save_weights(folder / "returned.weights.h5")
    return folder


def keep_states(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep a copy of the state after every epoch: state1.weights.h5 and so on."""
    write_whole = run_folder.write_whole

    def write(path: Path, write_file) -> None:
        write_whole(path, write_file)
        if path.name == "last.weights.h5":
            number = len(list(folder.glob("state*"))) + 1
            shutil.copy(path, folder / f"state{number}.weights.h5")

    patch.setattr(run_folder, "write_whole", write)


@pytest.fixture
def copy_of_run(whole_run, tmp_path) -> Path:
    return Path(shutil.copytree(whole_run, tmp_path / "copy"))


def die_in_step(folder: str, step: int) -> None:
    """Train in this process, and kill it after so many steps."""

    class Killer(callbacks.KeepState):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == step:
                os.kill(os.getpid(), signal.SIGKILL)

    loop.KeepState = Killer
    run(Path(folder))


def test_a_killed_run_goes_on_as_if_never_cut_off(whole_run, tmp_path):
    folder = tmp_path / "killed"
    code = (
        f"from tests.training import test_loop; test_loop.die_in_step({str(folder)!r}, {STEPS + 3})"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert len(pd.read_csv(folder / "history.csv")) == 1  # it died in its second epoch
    run(folder)
    assert_same_run(folder, whole_run)


@pytest.mark.parametrize("epochs_done", [2, 3], ids=["before a new size", "after it"])
def test_a_run_killed_between_log_and_state_repeats_the_epoch(copy_of_run, whole_run, epochs_done):
    log = (copy_of_run / "history.csv").read_text().splitlines(keepends=True)
    (copy_of_run / "history.csv").write_text("".join(log[: 1 + epochs_done + 1]))
    shutil.copy(copy_of_run / f"state{epochs_done}.weights.h5", copy_of_run / "last.weights.h5")
    (copy_of_run / "tmp.last.weights.h5").write_bytes(b"half a state")
    run(copy_of_run)
    assert_same_run(copy_of_run, whole_run)


def test_the_log_has_a_row_for_each_epoch(whole_run):
    history = pd.read_csv(whole_run / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["image_size"].tolist() == [34, 34, 48, 48]
    assert history["learning_rate"].is_monotonic_decreasing  # the warm-up is over by then
    assert history["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-6)
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} < set(history)
    assert np.isfinite(history).all(axis=None)


def test_the_log_measures_the_averaged_weights_that_are_kept(whole_run):
    history = pd.read_csv(whole_run / "history.csv")
    last_size = history[history["image_size"] == 48]
    best = last_size.loc[last_size["val_accuracy"].idxmax()]
    model = narrow()
    model.load_weights(whole_run / "best.weights.h5")
    assert evaluate(model, VALIDATION).accuracy == pytest.approx(best["val_accuracy"], abs=1e-6)
    model.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    pixels, labels = VALIDATION.images[..., None], np.eye(7)[VALIDATION.labels]
    assert model.evaluate(pixels, labels, verbose=0) == pytest.approx(best["val_loss"], rel=1e-3)
    # The raw weights of the last epoch are others.
    averaged = arrays_in(whole_run / "best.weights.h5")
    raw = arrays_in(whole_run / "last.weights.h5")
    (kernel,) = (name for name in raw if name.endswith("layers/dense/vars/0"))
    assert not np.allclose(averaged["layers/dense/vars/0"], raw[kernel])


def test_the_weights_kept_have_the_statistics_of_whole_faces(whole_run):
    model = narrow()
    model.load_weights(whole_run / "best.weights.h5")
    norm = next(x for x in model.layers if isinstance(x, layers.BatchNormalization))
    entering = keras.Model(model.inputs[0], norm.input)(TRAIN.images[..., None].astype(np.float32))
    mean, variance = (keras.ops.convert_to_numpy(x) for x in keras.ops.moments(entering, (0, 1, 2)))
    assert np.allclose(norm.moving_mean, mean, rtol=1e-3, atol=1e-4)
    assert np.allclose(norm.moving_variance, variance, rtol=1e-2)


def test_the_network_ends_with_the_weights_of_the_best_epoch(whole_run):
    returned, best = (arrays_in(whole_run / f"{n}.weights.h5") for n in ("returned", "best"))
    assert all(np.array_equal(returned[key], best[key]) for key in best)
    assert best["layers/conv2d/vars/0"].dtype == np.float16


def test_only_the_state_holds_an_optimizer(whole_run):
    assert not any("optimizer" in name for name in arrays_in(whole_run / "best.weights.h5"))
    assert any("optimizer" in name for name in arrays_in(whole_run / "last.weights.h5"))
    assert not list(whole_run.glob("tmp.*"))


def test_a_finished_run_returns_its_log_and_touches_nothing(copy_of_run):
    before = {file: file.stat().st_mtime_ns for file in copy_of_run.iterdir()}
    model = narrow()
    history = run(copy_of_run, model)
    assert {file: file.stat().st_mtime_ns for file in copy_of_run.iterdir()} == before
    written = history.to_csv(index=False, lineterminator="\n")
    assert written == (copy_of_run / "history.csv").read_text()
    best = narrow()
    best.load_weights(copy_of_run / "best.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(model.weights, best.weights, strict=True))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"epochs": 5}, "holds a run with epochs=4, this one has epochs=5"),
        ({"batch_size": 8}, "batch_size=16, this one has batch_size=8"),
        ({"learning_rate": 0.1}, r"learning_rate=0\.3, this one has learning_rate=0\.1"),
        ({"image_sizes": {0: 36, 2: 48}}, "image_sizes="),
        ({"seed": 1}, "seed=42, this one has seed=1"),
        ({"class_weights": EVEN}, "class_weights=None, this one has class_weights="),
        ({"mixup": 0.2}, r"mixup=0\.0, this one has mixup=0\.2"),
        ({"validation_freq": 2}, "validation_freq=1, this one has validation_freq=2"),
        ({"teachers": "one"}, r"teachers=\[\], this one has teachers=\['"),
        ({"resume": False}, "already holds a run. Choose another folder, or pass resume=True"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(whole_run, other, message):
    if "teachers" in other:
        other = {"teachers": [narrow()]}
    with pytest.raises(ValueError, match=message):
        run(whole_run, **other)


def test_a_run_does_not_go_on_with_other_data(whole_run):
    with pytest.raises(ValueError, match="holds a run with train='96 faces, sha256 "):
        train(narrow(), TRAIN.take(slice(1, None)), VALIDATION, run_dir=whole_run, **OPTIONS)


def garbled(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "spoil", "remedy"),
    [
        ("run.json", garbled, "Restore it, or choose another run_dir"),
        ("run.json", lambda file: file.write_text("[]"), "Restore it, or choose another run_dir"),
        ("run.json", Path.unlink, "Restore that file, or choose another folder"),
        ("last.weights.h5", garbled, "Delete it to start over, or set the precision"),
        ("best.weights.h5", garbled, "Train again in another run_dir"),
        ("best.weights.h5", Path.unlink, "Train again in another run_dir"),
    ],
)
def test_a_damaged_run_names_the_file_and_the_remedy(copy_of_run, name, spoil, remedy):
    spoil(copy_of_run / name)
    with pytest.raises(ValueError, match=rf"(?s){name}.*{remedy}"):
        run(copy_of_run)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "run"
    path.touch()
    with pytest.raises(ValueError, match=r"run_dir must be a folder, .* is a file"):
        run(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"batch_size": 1}, "batch_size must be .* at least 2 for batch norm, got 1"),
        ({"learning_rate": 0.0}, r"learning_rate must be above 0, got 0\.0"),
        ({"weight_decay": -1e-3}, r"weight_decay must be at least 0, got -0\.001"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be at least 0 and below 1, got 1\.0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"image_sizes": {1: 48}}, "image_sizes must start at epoch 0"),
        ({"image_sizes": {0: 34, 4: 48}}, "change before epoch 4"),
        ({"image_sizes": {0: 33, 2: 48}}, "image_sizes must lie between 34 and 49 px"),
        ({"image_sizes": {0: 48, 2: 34}}, "image_sizes must end with the size of the model, 48 px"),
        ({"class_weights": {"happy": 1.0}}, "class_weights must name each of angry, .* once, got"),
        ({"class_weights": EVEN | {"sad": 0}}, "class_weights must be above 0 and finite, got"),
        ({"class_weights": EVEN | {"sad": np.inf}}, "class_weights must be above 0 and finite"),
        ({"mixup": -0.1}, r"mixup must be at least 0 and finite, got -0\.1"),
        ({"validation_freq": 0}, "validation_freq must be a whole number of at least 1, got 0"),
    ],
)
def test_a_wrong_argument_is_named_and_leaves_no_folder(tmp_path, options, message):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match=message):
        run(folder, **options)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 7, "class_weights must map each emotion to a number"),
        (EVEN | {"sad": "much"}, r"class_weights\['sad'\] must be a number, got str"),
    ],
)
def test_class_weights_of_another_kind_are_refused(tmp_path, weights, message):
    with pytest.raises(TypeError, match=message):
        run(tmp_path / "run", class_weights=weights)


@pytest.mark.slow
def test_an_emotion_that_weighs_more_is_named_more_often(tmp_path):
    plain, weighted = narrow(), narrow()
    options = {"learning_rate": 0.05, "image_sizes": None}
    run(tmp_path / "plain", plain, **options)
    run(tmp_path / "weighted", weighted, **options, class_weights=EVEN | {"disgust": 10.0})
    named = [
        evaluate(model, VALIDATION).confusion[:, EMOTIONS.index("disgust")].sum()
        for model in (plain, weighted)
    ]
    assert named[1] > named[0] + 10


def unteachable(kind: str) -> object:
    return {
        "file": ["best.weights.h5"],
        "one network": narrow(),
        "not built": [keras.Sequential([layers.Flatten(), layers.Dense(7)])],
        "other emotions": [
            keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(3)])
        ],
        "another order": [that_tells(EMOTIONS[::-1])],
    }[kind]


def that_tells(emotions: tuple[str, ...]) -> keras.Model:
    model = narrow()
    model.emotions = emotions
    return model


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("file", TypeError, "teachers must be networks, got 'best.weights.h5'"),
        ("one network", TypeError, "teachers must be a list of networks, got <"),
        ("not built", ValueError, "must take and return what model does.* takes None and returns"),
        ("other emotions", ValueError, r"teachers must take and return what model does.*\(None, 3"),
        (
            "another order",
            ValueError,
            "teachers must tell .*angry, .* which tells neutral, sur",
        ),
    ],
)
def test_what_cannot_teach_is_refused(tmp_path, kind, error, message):
    with pytest.raises(error, match=message):
        run(tmp_path / "run", teachers=unteachable(kind))


@pytest.mark.slow
def test_the_command_starts_from_no_weights_that_tell_other_emotions(tmp_path, capsys):
    source, weights = tmp_path / "fer2013.csv", tmp_path / "start.weights.h5"
    write_fer2013(source, {"Training": few_of_each(TINY.train, 1), "PublicTest": TINY.validation})
    save_half(build_vgg(), weights, EMOTIONS[::-1])
    arguments = ["--data", str(source), "--run-dir", str(tmp_path / "run"), "--epochs", "1"]
    with pytest.raises(SystemExit):
        loop.main([*arguments, "--weights", str(weights)])
    assert "weights must tell the emotions of the data set apart" in capsys.readouterr().err


def test_a_network_does_not_teach_itself(tmp_path):
    model = narrow()
    with pytest.raises(ValueError, match="teachers must not hold the network that is to learn"):
        run(tmp_path / "run", model, teachers=[model])


@pytest.mark.slow
def test_teachers_are_believed_as_much_as_the_labels(tmp_path):
    """Labels are of all emotions and the teacher knows fear alone, so fear has the majority."""
    certain = keras.initializers.Constant(20 * np.eye(7)[EMOTIONS.index("fear")])
    softmax = layers.Dense(7, "softmax", kernel_initializer="zeros", bias_initializer=certain)
    teacher = keras.Sequential([keras.Input((48, 48, 1)), layers.GlobalMaxPooling2D(), softmax])
    model = narrow()
    run(tmp_path / "run", model, learning_rate=0.05, teachers=[teacher])
    assert evaluate(model, VALIDATION).confusion[:, EMOTIONS.index("fear")].sum() == len(VALIDATION)


@pytest.mark.parametrize("option", [{"augmentation": 0.1}, {"mixup": 0.5}])
def test_what_the_faces_go_through_changes_what_is_learned(whole_run, tmp_path, option):
    history, plain = run(tmp_path, **option), pd.read_csv(whole_run / "history.csv")
    assert not np.isclose(history["loss"], plain["loss"], rtol=1e-3).any()


@pytest.mark.slow
def test_a_taught_run_goes_on_as_if_never_cut_off(tmp_path, monkeypatch):
    options = {"epochs": 3, "image_sizes": None, "teachers": [narrow()], "mixup": 0.3}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    keep_states(monkeypatch, whole)
    run(whole, **options)
    shutil.copytree(whole, cut)
    log = (whole / "history.csv").read_text().splitlines(keepends=True)
    (cut / "history.csv").write_text("".join(log[:3]))
    shutil.copy(cut / "state3.weights.h5", cut / "last.weights.h5")  # state1: the start weights
    run(cut, **options)
    assert_same_run(cut, whole)


def test_fewer_validations_train_the_same_network(whole_run, tmp_path, capsys):
    history = run(tmp_path, validation_freq=3, progress=True)
    every = pd.read_csv(whole_run / "history.csv")
    # The last of each size is validated too: its state is what the next size begins with.
    assert history["epoch"].tolist() == [2, 3, 4]
    assert capsys.readouterr().out.count("validation") == 3
    pd.testing.assert_frame_equal(history, every.iloc[1:].reset_index(drop=True))


@pytest.mark.parametrize("name", ["train_split", "validation_split"])
def test_an_empty_split_is_named(tmp_path, name):
    splits = {"train_split": TRAIN, "validation_split": VALIDATION} | {name: TRAIN.take(slice(0))}
    with pytest.raises(ValueError, match=f"{name} must hold at least one face, got none"):
        train(narrow(), **splits, run_dir=tmp_path / "run", **OPTIONS)


def test_a_network_for_other_emotions_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((48, 48, 1)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ValueError, match="model must tell 7 emotions apart, got 3"):
        run(tmp_path / "run", model)


@pytest.mark.slow
def test_a_diverged_run_ends_with_an_error_and_keeps_what_was_good(tmp_path, monkeypatch):
    made = loop.training_batches

    def spoilt_from_the_second_epoch(*arguments, **options):
        for step, (pixels, labels) in enumerate(made(*arguments, **options)):
            yield pixels, labels * np.float32(np.nan if step >= STEPS + 2 else 1)

    monkeypatch.setattr(loop, "training_batches", spoilt_from_the_second_epoch)
    with pytest.raises(ValueError, match=r"loss became nan in epoch 2.* a lower learning_rate"):
        run(tmp_path, epochs=2, image_sizes=None)
    assert len(pd.read_csv(tmp_path / "history.csv")) == 1
    for name in ("best.weights.h5", "last.weights.h5"):
        assert all(np.isfinite(array).all() for array in arrays_in(tmp_path / name).values())


@pytest.mark.slow
def test_emotions_may_be_missing_in_training_and_the_bar_is_closed(tmp_path, capsys):
    some = TRAIN.take(TRAIN.labels < 3)
    history = train(
        narrow(), some, VALIDATION, run_dir=tmp_path, epochs=1, batch_size=16, progress=True
    )
    assert len(history) == 1
    assert np.isfinite(history).all(axis=None)
    printed = capsys.readouterr()
    assert "epoch   1/1: loss" in printed.out
    assert "Training: 100%" in printed.err


@pytest.mark.slow
def test_half_precision_restores_the_optimizer_too(tmp_path, monkeypatch):
    """In mixed_float16, Keras wraps the optimizer, and steps that overflow are not counted."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    options = {"epochs": 2, "image_sizes": None}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    try:
        keep_states(monkeypatch, whole)
        run(whole, **options)
        shutil.copytree(whole, cut)
        shutil.copy(cut / "state1.weights.h5", cut / "last.weights.h5")
        run(cut, **options)
    finally:
        keras.config.set_dtype_policy(policy)
    assert_same_run(cut, whole)
    with pytest.raises(ValueError, match="set the precision the run was started with"):
        run(cut, **options)


@pytest.mark.slow
def test_the_command_trains_the_real_network(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    source, folder = tmp_path / "fer2013.csv", tmp_path / "run"
    train_split = few_of_each(TINY.train, 7).take(slice(0, -1))  # to be balanced by SMOTE
    write_fer2013(source, {"Training": train_split, "PublicTest": few_of_each(TINY.validation, 1)})
    arguments = ["--data", str(source), "--run-dir", str(folder)]
    loop.main([*arguments, "--method", "smote", "--epochs", "1", "--batch-size", "16"])
    settings = json.loads((folder / "run.json").read_text())
    assert settings["train"].startswith("49 faces")  # 7 x 7
    assert "Best: " in capsys.readouterr().out
    best = folder / "best.weights.h5"
    assert load_weights(best).count_params() == settings["parameters"] == 7_056_199
    assert best.stat().st_size < 2 * 7_056_199 * 1.05  # half precision and little else

    student = tmp_path / "student"
    arguments[-1] = str(student)
    options = ["--epochs", "1", "--batch-size", "16", "--mixup", "0.1", "--validation-freq", "3"]
    loop.main([*arguments, *options, "--teachers", str(best)])
    assert settings["teachers"] == []
    settings = json.loads((student / "run.json").read_text())
    assert len(settings["teachers"]) == 1
    assert (settings["mixup"], settings["validation_freq"]) == (0.1, 3)


def test_ctrl_c_in_a_call_tells_how_to_go_on(tmp_path, monkeypatch, whole_run):
    class Stop(callbacks.KeepState):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch == 1:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "KeepState", Stop)
        with pytest.raises(
            KeyboardInterrupt, match=r"to epoch 2 is kept in .*stopped'; .* goes on"
        ):
            run(tmp_path / "stopped")
    run(tmp_path / "stopped")
    assert_same_run(tmp_path / "stopped", whole_run)


@pytest.mark.slow
def test_smotes_remedies_for_too_few_faces_work_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(loop, "build_vgg", lambda **_: narrow())
    source = tmp_path / "fer2013.csv"
    train_split = few_of_each(TINY.train, 4).take(slice(0, -1))  # three are neutral
    write_fer2013(source, {"Training": train_split, "PublicTest": few_of_each(TINY.validation, 1)})
    arguments = ["--data", str(source), "--epochs", "1", "--batch-size", "8"]
    with pytest.raises(SystemExit):
        loop.main([*arguments, "--method", "smote", "--run-dir", str(tmp_path / "none")])
    said = capsys.readouterr().err
    assert "got 3 of 'neutral'" in said
    for number, remedy in enumerate(("--k-neighbors 2", "--method random")):
        assert remedy in said
        run_dir = tmp_path / str(number)
        options = [*arguments, "--run-dir", str(run_dir), "--method", "smote", *remedy.split()]
        loop.main(options)
        assert json.loads((run_dir / "run.json").read_text())["train"].startswith("28 faces")


@pytest.mark.slow
def test_ctrl_c_ends_the_command_with_a_line(tmp_path):
    """And it ends at all: TensorFlow's iterator over a generator can keep a process for good."""
    folder = tmp_path / "run"
    fixture = ROOT / "tests/fixtures/tiny_fer2013.zip"
    code = (
        "import os, signal\n"
        # Whoever runs the tests in the background has a shell that makes them ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.training import test_loop as t\n"
        "class Stop(t.callbacks.KeepState):\n"
        "    def on_train_batch_end(self, batch, logs=None):\n"
        "        if batch == 2: os.kill(os.getpid(), signal.SIGINT)\n"
        "t.loop.KeepState = Stop\n"
        "t.loop.build_vgg = lambda **_: t.narrow()\n"
        f"t.loop.main(['--data', {str(fixture)!r}, '--run-dir', {str(folder)!r}])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FER_CACHE_DIR": str(tmp_path / "cache")}
    stopped = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert stopped.returncode == 130
    assert stopped.stderr.splitlines()[-1] == (
        "Stopped. Run the same command again to go on from the last validation."
    )
    assert "Traceback" not in stopped.stderr
    assert (folder / "run.json").exists()
