"""The vote as one file that other runtimes compute, and whether it says the same as the vote.

``python -m fer_utils export --to onnx`` writes it. Keras does, by its own exporters; OpenVINO,
which reads what they write, checks it before the file gets its name.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..faces.crop import crop_face
from ..faces.detector import FaceDetector
from ..files import checked_target, unwritable_as_value_error
from ..graceful_exit import mistakes_as_lines, parsed
from ..images import load_image
from ..network.openvino_network import LightNetwork, compute_file
from ..network.vote import SHIPPED_VOTE, SoftVote, read_vote
from ..quiet import quiet
from .setup_check import portrait

if TYPE_CHECKING:
    import keras


class _Format(NamedTuple):
    suffix: str
    of_keras: str  # what Keras calls it
    packages: tuple[str, ...]  # what it needs that recognition does not


FORMATS = {
    "onnx": _Format(".onnx", "onnx", ("onnx", "tf2onnx")),
    "tflite": _Format(".tflite", "litert", ()),
    "openvino": _Format(".xml", "openvino", ()),
}
# What rounding may change in a probability.
_TOLERANCE = 1e-4


def export_vote(path: str | Path, vote: str | Path = SHIPPED_VOTE) -> Path:
    """Write the vote as one model: faces in, its probabilities out.

    The model takes uint8 (n, 48, 48), faces as `crop_face` cuts them out, and gives float32
    (n, 7), what `SoftVote.predict_proba` returns, temperature included. It is written only if it
    agrees with the vote on a portrait's face, mirrored and darkened too.

    Parameters
    ----------
    path : str or Path
        Its suffix says the format: .onnx, .tflite or .xml, OpenVINO's, which has its weights in
        a .bin file beside it. A file there is replaced.
    vote : str or Path
        The vote file, by default the shipped one.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If the folder of `path`, the vote file or a weights file does not exist.
    ValueError
        If `path` has another suffix or cannot be written, the vote file is none, or the model
        disagrees with the vote.
    TypeError
        If `path` is no path.
    ImportError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fer.export_vote(f"{folder}/vote.xml").name
    'vote.xml'
    """
    target = checked_target("path", path, *(each.suffix for each in FORMATS.values()))
    form = next(each for each in FORMATS.values() if target.name.lower().endswith(each.suffix))
    missing = [name for name in form.packages if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"To write {form.suffix} files, Keras needs packages that are not installed: "
            f"pip install {' '.join(missing)}"
        )
    temperature = SoftVote.load(vote, precision="float").temperature  # which checks the files too
    weights = [path for path, _ in read_vote(vote).networks]
    with (
        unwritable_as_value_error(target, "path"),
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder,
    ):
        unchecked = Path(folder) / target.name
        with quiet():
            _write(_to_model(weights, temperature), unchecked, form)
        _check_agreement(unchecked, weights, temperature)
        for file in Path(folder).iterdir():  # OpenVINO's format has two
            os.replace(file, target.with_name(file.name))
    return target


def _to_model(weights: Sequence[Path], temperature: float) -> "keras.Model":
    """Return the vote as a Keras model."""
    from ..network.vgg import load_weights
    from ..quiet_keras import keras

    networks = [load_weights(path) for path in weights]
    faces = keras.Input(networks[0].input_shape[1:3], dtype="uint8", name="faces")
    pixels = keras.ops.expand_dims(keras.ops.cast(faces, "float32"), -1)
    mean = sum(network(pixels) for network in networks) / len(networks)
    # As `network.vote.apply_temperature`.
    logits = keras.ops.log(keras.ops.maximum(mean, float(np.finfo(np.float32).tiny))) / temperature
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    return keras.Model(faces, probabilities, name="vote")


def _write(model: "keras.Model", file: Path, form: _Format) -> None:
    from ..quiet_keras import keras

    # Keras finds these out for itself, but for ONNX only of a model that has been called.
    taken = [keras.InputSpec(shape=model.input_shape, dtype="uint8", name="faces")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about a line of Keras's own
        model.export(str(file), format=form.of_keras, input_signature=taken, verbose=False)


def _check_agreement(file: Path, weights: Sequence[Path], temperature: float) -> None:
    with FaceDetector() as detector:
        picture = load_image(portrait())
        face = crop_face(picture, detector.detect(picture)[0])
    faces = np.stack([face, face[:, ::-1], face // 3])
    networks = [LightNetwork(path, precision="f32") for path in weights]
    expected = SoftVote(networks, temperature).predict_proba(faces)
    difference = np.abs(compute_file(file, faces) - expected).max()
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"The exported model disagrees with the vote by {difference:.1%} on a portrait, so it "
            "was not kept; export with the package versions of requirements.txt."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_utils export",
        description="Write the networks' vote as one model: uint8 faces (n, 48, 48) in, the "
        "seven probabilities (n, 7) out; checked against the vote on a portrait.",
        epilog="pip install onnx tf2onnx: what --to onnx needs besides.",
    )
    parser.add_argument("--to", choices=FORMATS, required=True, help="the format")
    parser.add_argument("-o", "--output", help="the file; by default vote.* here")
    parser.add_argument("--vote", default=SHIPPED_VOTE, help="vote file")
    return parser


def main(arguments: list[str] | None = None, prog: str | None = None) -> None:
    """Export as the command line says; see ``--help``."""
    parser = _parser()
    parser.prog = prog or parser.prog
    args = parsed(parser, arguments)
    suffix = FORMATS[args.to].suffix
    with mistakes_as_lines(parser):
        target = checked_target("--output", args.output or f"vote{suffix}", suffix)
        written = export_vote(target, args.vote)
        print(written, *[written.with_suffix(".bin")] * (args.to == "openvino"), sep="\n")
