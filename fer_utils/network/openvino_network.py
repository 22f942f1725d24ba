"""The light runtime: OpenVINO computes a network straight from its weights file.

TensorFlow takes longer to import than a picture takes to recognise, and more time over a face.
Keras's own `model.export(format="openvino")` traces the network through TensorFlow, which voting
must not import, so the graph is built by hand here.
"""

import functools
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .vgg_plan import (
    LARGEST_SIZE,
    NORM_EPSILON,
    PIXEL_EPSILON,
    PLAN,
    POOL_SIZE,
    SMALLEST_SIZE,
    Classifier,
    Conv,
    Dense,
    Flatten,
    Pool,
)
from .weights_file import Arrays, network_name, read_weights

if TYPE_CHECKING:
    import keras

_DEFAULT_SIZE = 48
_PRECISIONS = (None, "f32", "bf16")


class LightNetwork:
    """A network of `build_vgg` that OpenVINO computes, without Keras and TensorFlow.

    Opens no network connection. May be called from several threads; they take turns.

    Parameters
    ----------
    path : str or Path
        Its weights file, ``.weights.h5``.
    size : int
        Side of the square pictures in px, 34 to 49.
    precision : {"f32", "bf16"}, optional
        What it computes in. By default the quickest that this processor has instructions for.

    Attributes
    ----------
    name : str
        As the file.
    input_size : tuple of int
        Height and width of the pictures in px.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not hold the network's weights, or another argument is not as above.
    ImportError
        If OpenVINO is not installed.
    """

    def __init__(
        self, path: str | Path, size: int = _DEFAULT_SIZE, precision: str | None = None
    ) -> None:
        _check_arguments(size, precision)
        weights = read_weights(path)
        self.name = network_name(Path(path))
        self.input_size = (size, size)
        # One face should come back soon: all cores work on the same one.
        settings = {"PERFORMANCE_HINT": "LATENCY"}
        if precision is not None:
            settings["INFERENCE_PRECISION_HINT"] = precision
        compiled = _core().compile_model(_to_graph(weights, self.input_size), "CPU", settings)
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()  # a request cannot take a second call while it computes

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, 7), of grey pictures, uint8 (n, size, size)."""
        with self._lock:
            return self._request.infer([images])[0]


def _check_arguments(size: int, precision: str | None) -> None:
    if not isinstance(size, int) or not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ValueError(
            f"size must be a whole number from {SMALLEST_SIZE} to {LARGEST_SIZE} px, got {size!r}."
        )
    if precision not in _PRECISIONS:
        raise ValueError(f"precision must be one of {_PRECISIONS}, got {precision!r}.")


def load_network(path: str | Path) -> "LightNetwork | keras.Model":
    """Load the network of a weights file, by Keras where OpenVINO is not installed.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_weights` raises them.
    """
    try:
        return LightNetwork(path)
    except ImportError as error:
        _tell_of_fallback(str(error))
    from .vgg import load_weights

    return load_weights(path)


@functools.cache
def _tell_of_fallback(reason: str) -> None:
    """Warn once in a process, not for every network."""
    warnings.warn(
        f"OpenVINO cannot be used ({reason}): Keras computes the networks instead, which starts "
        "and runs slower. For full speed: pip install -r requirements.txt",
        stacklevel=4,
    )


@functools.cache
def _core() -> Any:
    """Return OpenVINO, kept from reporting its use.

    As it is imported, it tells a server so, with the help of a package of its own for that. It
    does without where that package is missing, and None in `sys.modules` stands for missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino.Core()


def _to_graph(weights: dict[str, Arrays], input_size: tuple[int, int]) -> Any:
    """Return OpenVINO's graph of the plan: uint8 (n, h, w) in, float32 (n, 7) out.

    Its operations take arrays too, but copy them many times slower than `constant` does.
    """
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, *input_size], np.uint8, name="images")
    faces = ops.unsqueeze(ops.convert(images, "f32"), 1)  # OpenVINO: channels first
    x = ops.mvn(faces, [1, 2, 3], True, PIXEL_EPSILON, "inside_sqrt")
    for step in PLAN:
        match step:
            case Conv(name, _, padding):
                x = _norm_relu(_conv(x, weights[name][0], padding), weights[name])
            case Pool():
                strides = [POOL_SIZE, POOL_SIZE]
                x = ops.max_pool(x, strides, [1, 1], [0, 0], [0, 0], strides).output(0)
            case Flatten():
                x = ops.reshape(ops.transpose(x, [0, 2, 3, 1]), [0, -1], special_zero=True)
            case Dense(name, _):
                x = _norm_relu(_times(x, weights[name][0]), weights[name])
            case Classifier(name):
                kernel, bias = weights[name]
                x = ops.softmax(ops.add(_times(x, kernel), ops.constant(bias)), axis=1)
    return openvino.Model([x], [images], "network")


def _conv(x: Any, kernel: np.ndarray, padding: str) -> Any:
    from openvino import opset13 as ops

    filters_first = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    margin = [kernel.shape[0] // 2 if padding == "same" else 0] * 2
    return ops.convolution(x, ops.constant(filters_first), [1, 1], margin, margin, [1, 1])


def _times(x: Any, kernel: np.ndarray) -> Any:
    from openvino import opset13 as ops

    return ops.matmul(x, ops.constant(kernel), False, False)


def _norm_relu(x: Any, weights: Arrays) -> Any:
    from openvino import opset13 as ops

    gamma, beta, mean, variance = map(ops.constant, weights[1:])
    return ops.relu(ops.batch_norm_inference(x, gamma, beta, mean, variance, NORM_EPSILON))
