"""Prints which runtime computes the shipped vote how fast, and how accurately, as Markdown.

    python tests/benchmarks/bench_runtimes.py --data fer2013.zip

Times are medians over warm calls: both networks vote on random 48x48 px pictures, without flip
averaging, on all cores. Accuracy is measured on the data set's validation part (FER2013:
PublicTest); without --data it is left out, and int8 is calibrated on random pictures. What is not
installed is skipped; all candidates together need

    pip install ai-edge-litert onnx onnxruntime tf2onnx
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fer_utils import FerDataset, Split, load_dataset
from fer_utils.network.openvino_network import LightNetwork
from fer_utils.network.vote import SHIPPED_VOTE

WARM_UPS, RUNS = 5, 40
CALIBRATION_PICTURES = 256
BATCH = 64

Network = Callable[[np.ndarray], np.ndarray]


class Candidate(NamedTuple):
    """A runtime: its name in the table, its package, and how it loads a weights file."""

    name: str
    package: str
    load: Callable[[Path, np.ndarray], Network]


def load_keras(weights: Path, _: np.ndarray) -> Network:
    from fer_utils.network.vgg import KerasNetwork, load_weights

    return KerasNetwork(load_weights(weights))


def load_litert(weights: Path, pictures: np.ndarray, *, int8: bool = False) -> Network:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from fer_utils.network.vgg import load_weights

    def calibration() -> Any:
        return ([picture[None, ..., None].astype(np.float32)] for picture in pictures)

    settings: dict[str, Any] = {"experimental_enable_resource_variables": False}
    if int8:
        settings |= {
            "optimizations": [tf.lite.Optimize.DEFAULT],
            "representative_dataset": calibration,
        }
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/network.tflite"
        load_weights(weights).export(file, format="litert", verbose=False, **settings)
        interpreter = Interpreter(file, num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    return lambda images: _invoke(interpreter, images[..., None].astype(np.float32))


def _invoke(interpreter: Any, pixels: np.ndarray) -> np.ndarray:
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(into["shape"]) != pixels.shape:
        interpreter.resize_tensor_input(into["index"], pixels.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(into["index"], pixels)
    interpreter.invoke()
    return interpreter.get_tensor(out["index"])


def load_litert_int8(weights: Path, pictures: np.ndarray) -> Network:
    return load_litert(weights, pictures, int8=True)


def load_onnx(weights: Path, _: np.ndarray) -> Network:
    import keras
    import onnxruntime

    from fer_utils.network.vgg import load_weights

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/network.onnx"
        model = load_weights(weights)
        pixels = keras.InputSpec(shape=model.input_shape, dtype="float32")
        model.export(file, format="onnx", verbose=False, input_signature=[pixels])
        session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images[..., None].astype(np.float32)})[0]


def load_openvino(weights: Path, _: np.ndarray) -> Network:
    return LightNetwork(weights, precision="f32")


def load_openvino_bf16(weights: Path, _: np.ndarray) -> Network:
    return LightNetwork(weights, precision="bf16")


CANDIDATES = (
    Candidate("Keras `tf.function`, float32", "keras", load_keras),
    Candidate("LiteRT, float32", "ai-edge-litert", load_litert),
    Candidate("LiteRT, int8", "ai-edge-litert", load_litert_int8),
    Candidate("ONNX Runtime, float32", "onnxruntime", load_onnx),
    Candidate("OpenVINO, float32", "openvino", load_openvino),
    Candidate("OpenVINO, bfloat16", "openvino", load_openvino_bf16),
)


def load_votes(weights: list[Path], pictures: np.ndarray) -> dict[Candidate, Network]:
    """Return each installed candidate's vote, the mean of its networks' probabilities."""
    votes: dict[Candidate, Network] = {}
    for candidate in CANDIDATES:
        try:
            networks = [candidate.load(file, pictures) for file in weights]
        except ImportError as error:
            print(f"Skipped: {candidate.name} ({error})")
            continue
        votes[candidate] = lambda images, networks=networks: np.mean(
            [network(images) for network in networks], axis=0
        )
    return votes


def median_ms(vote: Network, n: int) -> float:
    """Return the median time of a warm call with n faces."""
    faces = np.random.default_rng(0).integers(0, 256, (n, 48, 48), dtype=np.uint8)
    durations_s = []
    for _ in range(WARM_UPS + RUNS):
        start_s = time.perf_counter()
        vote(faces)
        durations_s.append(time.perf_counter() - start_s)
    return 1000 * statistics.median(durations_s[WARM_UPS:])


def accuracy(vote: Network, split: Split) -> float:
    """Return the share of the faces whose most probable emotion is the true one."""
    batches = np.split(split.images, range(BATCH, len(split), BATCH))
    probabilities = np.concatenate([vote(batch) for batch in batches])
    return float((probabilities.argmax(axis=1) == split.labels).mean())


def to_line(candidate: Candidate, ms: tuple[float, float], share: float | None) -> str:
    version = importlib.metadata.version(candidate.package)
    cells = [candidate.name, f"{candidate.package} {version}", *(f"{each:.1f}" for each in ms)]
    return f"| {' | '.join([*cells, '-' if share is None else f'{share:.2%}'])} |"


def measure(votes: dict[Candidate, Network], data: FerDataset | None) -> None:
    """Time them all, then print the table line by line: accuracy takes minutes."""
    durations_ms = {each: (median_ms(vote, 1), median_ms(vote, 16)) for each, vote in votes.items()}
    print("\n| runtime | package | 1 face, ms | 16 faces, ms | accuracy |\n|---|---|---|---|---|")
    for each, vote in votes.items():
        share = accuracy(vote, data.validation) if data else None
        print(to_line(each, durations_ms[each], share), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare runtimes for the voting networks.")
    parser.add_argument("--data", help="fer2013.csv, a folder, or a zip of either")
    data_path = parser.parse_args().data
    data = load_dataset(data_path) if data_path else None
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (CALIBRATION_PICTURES, 48, 48), dtype=np.uint8)
    if data:
        pictures = rng.permutation(data.train.images)[:CALIBRATION_PICTURES]
    networks = json.loads(SHIPPED_VOTE.read_text(encoding="utf-8"))["networks"]
    weights = [SHIPPED_VOTE.parent / network["file"] for network in networks]
    measure(load_votes(weights, pictures), data)


if __name__ == "__main__":
    main()
