"""Data sets with other emotions than ours, from their folders to the labels on a picture."""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import fer_utils as fer
from fer_utils.emotions import EMOTION_COLORS, LABEL_COLORS, colors_of
from fer_utils.evaluation.metrics import report_on
from fer_utils.lab import audit, comparison, probes
from fer_utils.network.openvino_network import LightNetwork
from fer_utils.network.vgg import load_weights
from fer_utils.network.weights_file import names_in, save_half
from fer_utils.recognition.recognizer import FaceEmotion
from fer_utils.video.tables import FaceTable
from tests.helpers.clips import write_clip
from tests.helpers.data_sets import faces, write_folders
from tests.helpers.notebooks import run_notebook
from tests.helpers.portraits import ASTRONAUT

NAMES = ("bored", "happy", "contempt")


@pytest.fixture(scope="module")
def network():
    """A network that was never trained."""
    return fer.build_vgg(num_classes=3)


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "three.weights.h5"
    save_half(network, path, NAMES)
    return path


@pytest.fixture(scope="module")
def recognizer(weights):
    return fer.EmotionRecognizer.load(models=[weights])


def a_split(emotions=NAMES, count: int = 12) -> fer.Split:
    return fer.Split(faces(count), np.arange(count) % len(emotions), emotions=emotions)


@pytest.mark.slow
def test_a_weights_file_names_its_emotions(weights):
    assert names_in(weights) == NAMES
    light, heavy = LightNetwork(weights), load_weights(weights)
    assert (light.emotions, heavy.emotions) == (NAMES, NAMES)
    vote = fer.SoftVote([light])
    assert vote.emotions == fer.SoftVote([heavy]).emotions == NAMES
    probabilities = vote.predict_proba(faces(2))
    assert probabilities.shape == (2, 3)
    expected = fer.SoftVote([heavy]).predict_proba(faces(2))
    assert np.allclose(probabilities, expected, atol=0.03)


def test_a_network_without_names_is_given_them(network):
    with pytest.raises(ValueError, match=r"returns \(None, 3\); name its emotions"):
        fer.SoftVote([network])
    assert fer.SoftVote([network], emotions=NAMES).emotions == NAMES
    with pytest.raises(ValueError, match=r"returns \(None, 3\); name its emotions"):
        fer.SoftVote([network], emotions=NAMES[:2])


def test_only_networks_of_the_same_emotions_vote(network, weights):
    named = LightNetwork(weights)
    assert fer.SoftVote([named, network], emotions=NAMES).emotions == NAMES
    with pytest.raises(ValueError, match=r"same emotions apart, in one order.*bored.*contempt"):
        fer.SoftVote([named], emotions=NAMES[::-1])
    with pytest.raises(ValueError, match="same emotions apart"):
        fer.SoftVote([named, fer.build_vgg()])


def test_a_face_bears_the_names_of_its_network(recognizer):
    (face,) = recognizer.recognize(ASTRONAUT)
    assert tuple(face.emotions) == recognizer.emotions == NAMES
    assert face.top in NAMES
    table = fer.to_frame([face])
    assert [name for name in table if name.startswith("p_")] == [f"p_{name}" for name in NAMES]
    assert table["top"].tolist() == [face.top]
    none = fer.to_frame([], emotions=recognizer.emotions)
    assert (list(none), len(none)) == (list(table), 0)


def test_faces_of_different_emotions_share_no_table(recognizer):
    ours = FaceEmotion((0, 0, 9, 9), 0.9, dict.fromkeys(fer.EMOTIONS, 1 / 7))
    with pytest.raises(ValueError, match="faces must all be of one recognizer"):
        fer.to_frame([ours, *recognizer.recognize(ASTRONAUT)])


def test_a_folder_has_the_columns_of_its_recognizer(recognizer, tmp_path):
    plt.imsave(tmp_path / "a.png", ASTRONAUT)
    plt.imsave(tmp_path / "none.png", np.zeros((50, 50, 3), np.uint8))
    for _ in range(2):  # the second time it goes on with the table
        table = fer.recognize_folder(tmp_path, recognizer=recognizer, progress=False)
        assert table["status"].tolist() == ["ok", "no face"]
        assert [c for c in table if c.startswith("p_")] == [f"p_{name}" for name in NAMES]


@pytest.mark.slow
def test_a_data_set_has_the_columns_of_its_recognizer(weights, recognizer, tmp_path):
    plt.imsave(tmp_path / "a.png", ASTRONAUT)
    plt.imsave(tmp_path / "none.png", np.zeros((50, 50, 3), np.uint8))
    write_clip(tmp_path / "a.mp4", [ASTRONAUT] * 3, [0, 0.04, 0.08], size=(512, 512))
    out = tmp_path / "out"
    fer.recognize_many(tmp_path, out, models=[weights], local=True, progress=False)
    table = pd.read_parquet(out).sort_values(["source", "frame"])
    assert table["source"].tolist() == ["a.mp4"] * 3 + ["a.png", "none.png"]
    assert table["status"].tolist() == ["ok"] * 4 + ["no face"]
    assert [c for c in table if c.startswith("p_")] == [f"p_{name}" for name in NAMES]
    assert set(table["top"][:4]) <= set(NAMES)


def test_a_video_has_the_columns_of_its_recognizer(recognizer):
    stream = fer.EmotionStream(recognizer)
    (face,) = stream.update(ASTRONAUT, 0)
    assert tuple(face.emotions) == tuple(face.raw_emotions) == NAMES
    table = FaceTable("a.mp4", stream.emotions)
    table.add(0, 0.0, [face])
    frame = table.to_frame()
    assert [c for c in frame if c.startswith("raw_")] == [f"raw_{name}" for name in NAMES]
    assert frame["top"].tolist() == [face.top]
    (ax,) = fer.plot_timeline(frame)
    assert [line.get_label() for line in ax.lines] == list(NAMES)


def test_a_timeline_of_some_of_our_emotions():
    table = pd.DataFrame({"time_s": [0.0, 1.0], "face_id": 0, "label": "sad"})
    table = table.assign(p_happy=[0.1, 0.2], p_sad=[0.9, 0.8])
    (ax,) = fer.plot_timeline(table)
    assert [line.get_label() for line in ax.lines] == ["happy", "sad"]


def test_a_webcam_knows_the_names_and_colours(recognizer):
    palette = fer.webcam(recognizer).get_state()["_palette"]
    assert palette["emotions"] == list(NAMES)
    assert set(palette["colors"]) == {*NAMES, "unsure"}


def test_each_emotion_is_drawn_in_its_colour():
    colors = colors_of(NAMES)
    assert colors["happy"] == EMOTION_COLORS["happy"]
    assert len(set(colors.values())) == 3
    emotions = {"bored": 0.6, "happy": 0.2, "contempt": 0.2}
    drawn = fer.draw_faces(
        np.zeros((90, 90, 3), np.uint8), [FaceEmotion((20, 40, 40, 40), 0.9, emotions)]
    )
    seen = {"#{:02X}{:02X}{:02X}".format(*pixel) for pixel in drawn.reshape(-1, 3)}
    assert colors["bored"] in seen
    assert LABEL_COLORS["happy"] not in seen


def test_fifteen_emotions_have_a_colour_each_as_far_as_colours_go():
    colors = colors_of([f"emotion {number}" for number in range(20)])
    assert len(colors) == 20
    assert len(set(colors.values())) == 14


def test_they_are_plotted(network):
    split = a_split()
    bars = fer.plot_distribution({"Before": split, "After": split}).containers[0]
    assert [bar.get_height() for bar in bars] == [4, 4, 4]
    assert fer.plot_samples(split, columns=2).shape == (3, 2)
    assert fer.plot_samples(split, emotion="contempt", columns=2, rows=1).shape == (1, 2)
    with pytest.raises(ValueError, match=r"emotion must be one of bored, happy, contempt; got"):
        fer.plot_samples(split, emotion="sad")
    vote = fer.SoftVote([network], emotions=NAMES)
    report = fer.evaluate(vote, split)
    assert list(report.recall) == list(NAMES)
    assert list(fer.evaluate(network, split).recall) == list(NAMES)
    ax = fer.plot_confusion(report)
    assert [text.get_text() for text in ax.get_xticklabels()] == list(NAMES)
    probabilities = {"three": vote.predict_proba(split.images)}
    assert len(fer.plot_reliability(probabilities, split.labels)) == 1
    fer.plot_coverage(probabilities, split.labels)


def test_they_are_balanced():
    split = a_split().take(np.array([0, 1, 2, 3, 6]))  # bored 3 times, the others once
    balanced = fer.oversample(split, "random")
    assert balanced.counts() == {"bored": 3, "happy": 3, "contempt": 3}
    assert fer.oversample(split, "random", {"happy": 2}).counts()["happy"] == 2
    assert fer.oversample(a_split(), "smote", {"happy": 6}, k_neighbors=3).emotions == NAMES


@pytest.mark.slow
def test_a_vote_is_measured_on_fewer_emotions_or_another_order_by_their_names():
    ours, few = fer.SoftVote.load(), a_split(("sad", "happy"))
    report = fer.evaluate(ours, few)
    assert report.per_emotion["n"].to_dict() == dict.fromkeys(fer.EMOTIONS, 0) | {
        "sad": 6,
        "happy": 6,
    }
    with pytest.raises(ValueError, match=r"networks cannot tell.*bored, contempt.*trained on"):
        fer.evaluate(ours, a_split())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_from_folders_to_a_recognizer(tmp_path, monkeypatch, detector):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    write_folders(tmp_path / "data", NAMES, 6)
    data = fer.load_dataset(tmp_path / "data", label_order=NAMES, progress=False)
    assert data.emotions == NAMES
    model = fer.build_vgg(num_classes=3, width=0.1)
    run = {"run_dir": tmp_path / "run", "epochs": 1, "batch_size": 5, "progress": False}
    weights = dict.fromkeys(NAMES, 1.0)
    fer.train(model, data.train, data.validation, class_weights=weights, **run)
    assert names_in(tmp_path / "run/best.weights.h5") == NAMES
    assert list(fer.evaluate(model, data.validation).recall) == list(NAMES)
    recognizer = fer.EmotionRecognizer(fer.SoftVote([model]), detector)
    (face,) = recognizer.recognize(ASTRONAUT)
    assert tuple(face.emotions) == NAMES


def test_a_network_must_fit_the_emotions_of_the_data(network, tmp_path):
    run = {"run_dir": tmp_path / "run", "epochs": 1, "batch_size": 5}
    with pytest.raises(ValueError, match=r"model must tell 3 .* got 7: .*num_classes=3\)"):
        fer.train(fer.build_vgg(), a_split(), a_split(), **run)
    with pytest.raises(ValueError, match="validation_split must have the emotions of train_split"):
        fer.train(network, a_split(), a_split(NAMES[::-1]), **run)
    with pytest.raises(ValueError, match="class_weights must name each of bored, happy, contempt"):
        fer.train(network, a_split(), a_split(), class_weights={"sad": 1}, **run)


@pytest.mark.slow
def test_the_notebooks_charts_are_of_them(weights):
    split = a_split()
    (light, _) = audit.plot_light(split)
    assert [text.get_text() for text in light.get_yticklabels()] == list(NAMES)
    means = audit.mean_by_emotion(split.images, split.labels, NAMES)
    assert np.allclose(means[2], split.images[2::3].mean(axis=0))
    grid = audit.plot_by_emotion({"train": means}, emotions=NAMES)
    assert [ax.get_title() for ax in grid[0]] == list(NAMES)
    ax = audit.plot_feature_map(faces(12)[:, 0, :2], split.labels, emotions=NAMES)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(NAMES)

    network = load_weights(weights)
    first = fer.SoftVote([network]).predict_proba(split.images)
    pair = {"first": first, "second": np.roll(first, 1, axis=1)}
    table = comparison.bootstrap_table(pair, split.labels, emotions=NAMES, resamples=9)
    assert table["metric"].tolist()[:6] == [*comparison.SUMMARIES, *NAMES]
    line = comparison.plot_intervals(table).lines[-1]
    assert line.get_xdata()[0] == len(comparison.SUMMARIES) - 0.5
    reports = [report_on(each, split.labels, emotions=NAMES) for each in pair.values()]
    ax = comparison.plot_confusion_difference(*reports, names=("first", "second"))
    assert [text.get_text() for text in ax.get_yticklabels()] == list(NAMES)
    apart = comparison.find_disagreements(*pair.values(), split.labels, emotions=NAMES)
    assert apart["true"].tolist() == [NAMES[split.labels[place]] for place in apart["index"]]
    grid = comparison.plot_disagreements(split, apart[:1], pair)
    assert [text.get_text() for text in grid[0, 1].get_yticklabels()] == list(NAMES)

    told = probes.explain(network, split.images[:1])
    grid = probes.plot_maps(split.images[:1], {"net": told}, split.labels[:1], emotions=NAMES)
    assert grid[0, 0].get_xlabel() == "label: bored"
    assert grid[0, 1].get_xlabel().split()[0] == NAMES[first[0].argmax()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*No validation part")
def test_the_notebooks_run_with_them(tmp_path, monkeypatch):
    for part in ("train", "test"):
        write_folders(tmp_path / "data" / part, NAMES, 8, first_seed=10 * len(part))
    run = tmp_path / "run"
    for name in [name for name in os.environ if name.startswith("FER_")]:
        monkeypatch.delenv(name)
    best = run / "best.weights.h5"
    for name, value in {
        "CACHE_DIR": tmp_path / "cache",
        "DATA": tmp_path / "data",
        "LABEL_ORDER": " ".join(NAMES),
        "EPOCHS": 1,
        "RUN_DIR": run,
        "SAMPLE": 6,
        "WEIGHTS": os.pathsep.join([str(best), str(best)]),
    }.items():
        monkeypatch.setenv(f"FER_{name}", str(value))
    run_notebook("training", "assert list(report.recall) == ['bored', 'happy', 'contempt']")
    run_notebook("evaluation", "assert split.emotions == ('bored', 'happy', 'contempt')")
