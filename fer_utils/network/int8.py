"""Several networks and their mean as one graph that computes with 8-bit integers.

NNCF makes it, once, from the networks and a few faces; OpenVINO alone computes it.
"""

import functools
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..emotions import EMOTIONS
from ..extras import int8_extra
from ..files import sha256_of
from ..openvino_runtime import openvino_core
from ..processes import processor_instructions
from ..quiet import quiet
from .openvino_network import DEFAULT_SIZE, LightNetwork, to_graph
from .weights_file import read_weights

MAKE_INT8 = "make it with `python -m fer_utils.evaluation --int8 --help`"
_REMEDY = f"put it back (the shipped one comes with the repository), or {MAKE_INT8}."

# As Linux names the instructions that multiply 8-bit integers and add the products up.
_FAST_INT8 = {"amx_int8", "avx512_vnni", "avx_vnni"}


class Int8File(NamedTuple):
    """What a vote file says of the int8 copy of its networks.

    Attributes
    ----------
    files : mapping of Path to str
        First the graph, ``.xml``, then its numbers, ``.bin``, with the SHA-256 of each in
        hexadecimal.
    made_from : list of str
        The SHA-256 of each network's weights file.
    temperature : float
        Of the copy's own.
    """

    files: Mapping[Path, str]
    made_from: list[str]
    temperature: float


class Int8Network(LightNetwork):
    """The int8 copy of a vote's networks: one network that returns their mean.

    It is right only where `has_fast_int8`: elsewhere sums of products overflow.

    Parameters
    ----------
    files : mapping of Path to str
        As `Int8File` has them.
    emotions : tuple of str or None
        What it tells apart; None for ours.
    threads : int, optional
        As `LightNetwork` takes it.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file has another checksum, or OpenVINO cannot read them.
    ImportError
        If OpenVINO is not installed.
    """

    def __init__(
        self,
        files: Mapping[Path, str],
        emotions: tuple[str, ...] | None,
        *,
        threads: int | None = None,
    ) -> None:
        self._files = {path.absolute(): sha256 for path, sha256 in files.items()}
        self._file = next(iter(self._files))
        self._threads, self._precision = threads, None
        self.name = self._file.stem
        self.input_size = (DEFAULT_SIZE, DEFAULT_SIZE)
        self.emotions = emotions
        self.classes = len(emotions or EMOTIONS)
        self._compile()

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self._files, "emotions": self.emotions, "threads": self._threads}

    def _checked_sha256(self) -> str:
        for path, expected in self._files.items():
            if not path.is_file():
                raise FileNotFoundError(f"there is no file {str(path)!r}; {_REMEDY}")
            if sha256_of(path) != expected:
                raise ValueError(
                    f"{str(path)!r} is not the file it was (its SHA-256 is not {expected}): "
                    f"{_REMEDY}"
                )
        return " ".join(self._files.values())

    def _graph(self) -> Any:
        try:
            return openvino_core().read_model(*self._files)
        except RuntimeError as error:  # OpenVINO's only one
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(
                f"{str(self._file)!r} cannot be read by this OpenVINO ({reason}); {_REMEDY}"
            ) from error


@functools.cache
def has_fast_int8() -> bool:
    """Say whether the processor has instructions for 8-bit integers: VNNI or AMX.

    OpenVINO says that of every processor. Linux lists the instructions; elsewhere those for
    bfloat16, of which OpenVINO tells, stand for them: no x86 processor has these without VNNI.
    """
    if (instructions := processor_instructions()) is not None:
        return not _FAST_INT8.isdisjoint(instructions)
    with suppress(ImportError):
        capabilities = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "BF16" in capabilities and platform.machine().lower() in ("amd64", "x86_64")
    return False


def write_int8(path: Path, weights: Sequence[Path], faces: np.ndarray) -> dict[Path, str]:
    """Write the int8 copy of networks.

    Weights get a scale for each filter, activations one for each layer, from the smallest and the
    largest value that occurs on the faces; biases make up for the mean error that is left
    (post-training quantization with bias correction, as NNCF does it). The first convolution and
    the last dense layer, which take little time and whose errors weigh most, stay as they are, and
    so does the mean.

    Parameters
    ----------
    path : Path
        The graph's file, ``.xml``; its numbers come beside it, ``.bin``. Files there are replaced.
    weights : sequence of Path
        The networks' weights files.
    faces : ndarray of uint8, shape (n, 48, 48)
        Faces that the networks were trained on, a few hundred.

    Returns
    -------
    dict of Path to str
        The two files, with the SHA-256 of each, as `Int8File` has them.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_weights` raises them.
    ImportError
        If NNCF is not installed.
    """
    openvino_core()  # imports OpenVINO, kept from reporting, before anything else does
    import openvino

    graph = to_graph([read_weights(file) for file in weights], (DEFAULT_SIZE, DEFAULT_SIZE))
    with _no_reports():
        quantized = _quantized(graph, faces)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        openvino.save_model(quantized, Path(scratch, path.name), compress_to_fp16=False)
        files = [path, path.with_suffix(".bin")]
        for file in files:
            os.replace(Path(scratch, file.name), file)
    return {file: sha256_of(file) for file in files}


@contextmanager
def _no_reports() -> Iterator[None]:
    """Keep NNCF from reporting, also where a program has imported OpenVINO itself, which can."""
    loaded = sys.modules["openvino_telemetry"]
    sys.modules["openvino_telemetry"] = None
    try:
        yield
    finally:
        sys.modules["openvino_telemetry"] = loaded


def _quantized(graph: Any, faces: np.ndarray) -> Any:
    with quiet(), int8_extra():
        import nncf
        from nncf.quantization.advanced_parameters import (
            AdvancedQuantizationParameters,
            OverflowFix,
        )
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf.set_log_level("WARNING")
    return nncf.quantize(
        graph,
        nncf.Dataset(faces[:, None]),  # a face at a time
        subset_size=len(faces),
        ignored_scope=nncf.IgnoredScope(names=_left_as_they_are(graph)),
        advanced_parameters=AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            # Only processors need it that are not `has_fast_int8`.
            overflow_fix=OverflowFix.DISABLE,
        ),
    )


def _left_as_they_are(graph: Any) -> list[str]:
    """Return the names of the networks' first and last operations with weights, and of the mean.

    Probabilities in 8 bits would not sum to 1.
    """

    def before(node: Any) -> Any:
        return node.input_value(0).get_node()

    nodes = graph.get_ops()
    first = [
        node
        for node in nodes
        if node.get_type_name() == "Convolution" and before(node).get_type_name() == "MVN"
    ]
    softmaxes = [node for node in nodes if node.get_type_name() == "Softmax"]
    last = [before(before(node)) for node in softmaxes]
    mean = []
    if len(softmaxes) > 1:
        mean = [taker.get_node() for s in softmaxes for taker in s.output(0).get_target_inputs()]
        mean.append(before(graph.get_result()))
    return sorted({node.get_friendly_name() for node in (*first, *last, *mean)})
