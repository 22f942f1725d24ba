"""The light runtime: OpenVINO computes a network straight from its weights file.

TensorFlow takes longer to import than a picture takes to recognise, and more time over a face.
Keras's own ``model.export(format="openvino")`` traces the network through TensorFlow, which voting
must not import, so the graph is built by hand here.
"""

import functools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..argument_checks import checked_whole_number
from ..emotions import EMOTIONS
from ..openvino_runtime import compiled, openvino_core
from ..processes import keep_in_children, native_call, usable_cores
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
from .weights_file import (
    Arrays,
    checked_sha256,
    find_weights,
    names_in,
    network_name,
    read_weights,
)

if TYPE_CHECKING:
    import keras

    from .vgg import KerasNetwork

DEFAULT_SIZE = 48
# To be raised whenever `to_graph` makes another graph of the same weights.
_GRAPH = 2
_PRECISIONS = (None, "f32", "bf16")


class LightNetwork:
    """A network of `build_vgg` that OpenVINO computes, without Keras and TensorFlow.

    Opens no network connection. May be called from several threads; they take turns. Pickled and
    copied, it is its file's path and checksum and its settings, and is made anew from them; so it
    is in a forked child.

    Parameters
    ----------
    path : str or Path
        Its weights file, ``.weights.h5``.
    size : int
        Side of the square pictures in px, 34 to 49.
    precision : {"f32", "bf16"}, optional
        What it computes in. By default the quickest that this processor has instructions for.
    sha256 : str, optional
        The SHA-256 that the file must have, in hexadecimal.
    threads : int, optional
        How many threads it computes with, at most one for each core that the process may use. By
        default as many as OpenVINO finds fit.

    Attributes
    ----------
    name : str
        As the file.
    input_size : tuple of int
        Height and width of the pictures in px.
    classes : int
        How many emotions it tells apart.
    emotions : tuple of str or None
        Their names, where the file says them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not hold the network's weights or has another checksum, or another
        argument is not as above.
    TypeError
        If `size` or `threads` is no whole number.
    ImportError
        If OpenVINO is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        size: int = DEFAULT_SIZE,
        precision: str | None = None,
        *,
        sha256: str | None = None,
        threads: int | None = None,
    ) -> None:
        _check_arguments(size, precision)
        self._threads = (
            None if threads is None else checked_whole_number("threads", threads, least=1)
        )
        self._file = find_weights(path).absolute()
        self._sha256 = sha256
        self._precision = precision
        self.name = network_name(self._file)
        self.input_size = (size, size)
        self._compile()
        self.emotions = names_in(self._file)
        self.classes = len(self.emotions or EMOTIONS)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), of pictures, uint8 (n, size, size).

        Raises
        ------
        FileNotFoundError, ValueError
            If this is a forked child and the file it was made from is not there any more.
        """
        return compute_together([self], images)[0]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "path": str(self._file),
            "size": self.input_size[0],
            "precision": self._precision,
            "sha256": self._sha256,
            "threads": self._threads,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def _checked_sha256(self) -> str:
        """Return the checksum of what the graph is made of, which must be the one expected."""
        self._sha256 = checked_sha256(self._file, self._sha256)
        return self._sha256

    def _graph(self) -> Any:
        return to_graph([read_weights(self._file)], self.input_size)

    def _compile(self) -> None:
        sha256 = self._checked_sha256()
        core = openvino_core()  # imports OpenVINO, kept from reporting, before anything else does
        # One face should come back soon: all cores work on the same one. No thread is bound to a
        # core, where it would wait for whatever else runs there.
        settings = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        if self._threads is not None:
            settings["INFERENCE_NUM_THREADS"] = min(self._threads, usable_cores())
        if self._precision is not None:
            settings["INFERENCE_PRECISION_HINT"] = self._precision
        network = compiled(core, self._graph, settings, _GRAPH, sha256, self.input_size)
        with native_call():
            request = network.create_infer_request()
        keep_in_children(self, (request, core))
        self._request, self._process = request, os.getpid()

    def _be_of_this_process(self) -> None:
        if self._process != os.getpid():  # in a forked child
            self._compile()

    def _start(self, images: np.ndarray) -> None:
        self._request.start_async([images])

    def _result(self) -> np.ndarray:
        self._request.wait()
        return self._request.get_output_tensor().data.copy()


def compute_together(
    networks: Sequence["LightNetwork | KerasNetwork"], images: np.ndarray
) -> list[np.ndarray]:
    """Return what each network makes of pictures; those of OpenVINO compute at the same time.

    Parameters
    ----------
    networks : sequence of LightNetwork or KerasNetwork
    images : ndarray of uint8, shape (n, size, size)

    Returns
    -------
    list of ndarray of float32, shape (n, classes)

    Raises
    ------
    FileNotFoundError, ValueError
        As a network raises them that is called in a forked child.
    """
    light = {network for network in networks if isinstance(network, LightNetwork)}
    told = {network: network(images) for network in networks if network not in light}
    for network in light:
        network._be_of_this_process()
    with native_call():
        for network in light:
            network._start(images)
        told |= {network: network._result() for network in light}
    return [told[network] for network in networks]


def threads_for_each(networks: int, threads: int | None = None) -> int | None:
    """Say how many threads each of several networks that compute together is to have.

    Parameters
    ----------
    networks : int
        How many there are.
    threads : int, optional
        How many all may have. By default one for each core that the process may use.

    Returns
    -------
    int or None
        At least 1; None where OpenVINO may decide, for a single network.

    Examples
    --------
    >>> threads_for_each(2, threads=4)
    2
    """
    if threads is None and networks == 1:
        return None
    return max(1, (threads or usable_cores()) // networks)


def _check_arguments(size: int, precision: str | None) -> None:
    checked_whole_number("size", size, least=SMALLEST_SIZE, most=LARGEST_SIZE, hint=" px")
    if precision not in _PRECISIONS:
        raise ValueError(f"precision must be one of {_PRECISIONS}, got {precision!r}.")


def load_network(
    path: str | Path, sha256: str | None = None, *, threads: int | None = None
) -> "LightNetwork | keras.Model":
    """Load the network of a weights file, by Keras where OpenVINO is not installed.

    Keras has threads of its own, as many as it finds fit.

    Raises
    ------
    FileNotFoundError, ValueError
        As `LightNetwork` raises them.
    ImportError
        If neither OpenVINO nor Keras is installed.
    """
    try:
        return LightNetwork(path, sha256=sha256, threads=threads)
    except ImportError as error:
        without_openvino = error
    try:
        from .vgg import load_weights
    except ImportError:
        raise ImportError(
            f"The networks need OpenVINO, which cannot be used ({without_openvino}): "
            "pip install openvino"
        ) from without_openvino
    _tell_of_fallback(str(without_openvino))
    checked_sha256(path, sha256)
    return load_weights(path)


@functools.cache
def _tell_of_fallback(reason: str) -> None:
    """Warn once in a process, not for every network."""
    warnings.warn(
        f"OpenVINO cannot be used ({reason}): Keras computes the networks instead, which starts "
        "and runs slower. For full speed: pip install -r requirements.txt",
        stacklevel=4,
    )


def compute_file(path: Path, images: np.ndarray) -> np.ndarray:
    """Return what a model file makes of pictures: OpenVINO's own, ONNX or TFLite.

    Raises
    ------
    ImportError
        If OpenVINO is not installed.
    """
    compiled = openvino_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([images])[0]


def to_graph(networks: Sequence[dict[str, Arrays]], input_size: tuple[int, int]) -> Any:
    """Return OpenVINO's graph of networks by the plan, and of the mean of what they return.

    Its operations take arrays too, but copy them many times slower than `constant` does.

    Parameters
    ----------
    networks : sequence of dict
        The weights of each, as `read_weights` returns them.
    input_size : tuple of int
        Height and width of the pictures in px.

    Returns
    -------
    openvino.Model
        uint8 (n, h, w) in, float32 (n, classes) out.
    """
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, *input_size], np.uint8, name="images")
    faces = ops.unsqueeze(ops.convert(images, "f32"), 1)  # OpenVINO: channels first
    faces = ops.mvn(faces, [1, 2, 3], True, PIXEL_EPSILON, "inside_sqrt")
    first, *others = (_probabilities(faces, weights) for weights in networks)
    for other in others:
        first = ops.add(first, other)
    if others:
        first = ops.multiply(first, ops.constant(np.float32(1 / len(networks))))
    return openvino.Model([first], [images], "network")


def _probabilities(x: Any, weights: dict[str, Arrays]) -> Any:
    from openvino import opset13 as ops

    for step in PLAN:
        match step:
            case Conv(name, _, padding):
                kernel, bias = _without_norm(weights[name])
                x = ops.add(_conv(x, kernel, padding), ops.constant(bias.reshape(1, -1, 1, 1)))
                x = ops.relu(x)
            case Pool():
                strides = [POOL_SIZE, POOL_SIZE]
                x = ops.max_pool(x, strides, [1, 1], [0, 0], [0, 0], strides).output(0)
            case Flatten():
                x = ops.reshape(ops.transpose(x, [0, 2, 3, 1]), [0, -1], special_zero=True)
            case Dense(name, _):
                x = ops.relu(_times_plus(x, *_without_norm(weights[name])))
            case Classifier(name):
                x = ops.softmax(_times_plus(x, *weights[name]), axis=1)
    return x


def _without_norm(weights: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel that does what batch norm after it did, and the bias that goes with it."""
    kernel, gamma, beta, mean, variance = weights
    scale = gamma / np.sqrt(variance + np.float32(NORM_EPSILON))
    return kernel * scale, beta - mean * scale


def _conv(x: Any, kernel: np.ndarray, padding: str) -> Any:
    from openvino import opset13 as ops

    filters_first = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    margin = [kernel.shape[0] // 2 if padding == "same" else 0] * 2
    return ops.convolution(x, ops.constant(filters_first), [1, 1], margin, margin, [1, 1])


def _times_plus(x: Any, kernel: np.ndarray, bias: np.ndarray) -> Any:
    from openvino import opset13 as ops

    return ops.add(ops.matmul(x, ops.constant(kernel), False, False), ops.constant(bias))
