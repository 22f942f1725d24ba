"""BlazeFace looks at many tiles of a picture at once: MediaPipe's file, computed by OpenVINO.

MediaPipe takes one view at a time, and as long to hand it over as to compute it. What the network
returns is read here as MediaPipe reads it, so both find the same boxes, which a test compares.
"""

import functools
import itertools
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..openvino_runtime import compiled, openvino_core
from ..processes import keep_in_children, native_call, processor_instructions, usable_cores
from .blazeface import DETECTOR_FILE, DETECTOR_SHA256, read_detector_file, to_face_box
from .boxes import FaceBox
from .views import VIEW_PX, View

# More in one go are no quicker, and take more memory.
_AT_ONCE = 32
# To be raised whenever `_graph` makes another graph of the same file.
_GRAPH = 1
# Elsewhere OpenVINO was measured to be slower at it than MediaPipe.
_QUICK_WITH = "avx512f"
# The network's answers stand in grids over the view: cells along a side, answers in a cell.
_GRIDS = ((16, 2), (8, 6))
# Answers whose boxes overlap more than this are of one face, as MediaPipe has it by default.
_SAME_FACE = 0.3


class TileViewer:
    """Looks at tiles in batches, as `Viewer` does one by one.

    It serves the process that made it.

    Parameters
    ----------
    min_score : float
        Faces with a lower score than this, from 0 to 1, are left out.
    threads : int
        How many cores to keep busy, at most those that the process may use.

    Raises
    ------
    ImportError
        If OpenVINO is not installed.
    FileNotFoundError, ValueError
        As `read_detector_file` raises them.
    RuntimeError
        If OpenVINO cannot read the detector's file.
    """

    def __init__(self, min_score: float, threads: int) -> None:
        self._min_score = min_score
        core = openvino_core()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_NUM_THREADS": min(threads, usable_cores()),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        network = compiled(core, _graph, settings, _GRAPH, DETECTOR_SHA256)
        with native_call():
            self._request = network.create_infer_request()
        keep_in_children(self, (self._request, core))

    def look(
        self, tiles: Iterable[View], picture_size: tuple[int, int]
    ) -> Iterator[tuple[View, list[FaceBox]]]:
        """Find the faces in each tile, in px of the picture of `picture_size` (width, height).

        The pixels of each tile have the shape (128, 128, 3).
        """
        left = iter(tiles)
        while some := list(itertools.islice(left, _AT_ONCE)):
            for tile, *answers in zip(some, *self._compute(some), strict=True):
                yield tile, self._faces(tile, picture_size, *answers)

    def _compute(self, tiles: list[View]) -> tuple[np.ndarray, np.ndarray]:
        """Return the network's answers for each tile, (n, 896, 16), and their scores, (n, 896)."""
        pixels = np.stack([tile.pixels for tile in tiles])
        with native_call():
            self._request.infer([pixels], share_inputs=True)
            places, logits = (self._request.get_output_tensor(i).data.copy() for i in (0, 1))
        logits = _by_tile(logits, len(tiles))[..., 0].clip(-80)  # exp overflows below -88
        return _by_tile(places, len(tiles)), 1 / (1 + np.exp(-logits))

    def _faces(
        self,
        tile: View,
        picture_size: tuple[int, int],
        places: np.ndarray,
        scores: np.ndarray,
    ) -> list[FaceBox]:
        has_area = (places[:, 2:4] > 0).all(axis=1)
        good = np.flatnonzero(has_area & (scores >= self._min_score))
        faces = (
            to_face_box(_box_as_mediapipe(corners), float(score), points, tile, picture_size)
            for score, corners, points in _merged(scores[good], places[good], _ANCHORS[good])
        )
        return [face for face in faces if face]


def tile_viewer(min_score: float, threads: int) -> TileViewer | None:
    """Return a `TileViewer` where it is quicker than MediaPipe, else None.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_detector_file` raises them.
    """
    if _QUICK_WITH not in (processor_instructions() or ()):
        return None
    try:
        return TileViewer(min_score, threads)
    except ImportError:
        return None
    except RuntimeError as error:  # OpenVINO's only one
        _warn_of_slower_tiles(str(error).strip().splitlines()[-1])
        return None


@functools.cache
def _warn_of_slower_tiles(reason: str) -> None:
    """Warn once in a process."""
    warnings.warn(
        f"OpenVINO cannot look at the parts of large pictures ({reason}): MediaPipe does so "
        "instead, and finds the same, in more time. To mend it: pip install -U openvino",
        stacklevel=2,
    )


def _graph() -> Any:
    """Return OpenVINO's graph of the detector's file, for any number of views in uint8."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    read_detector_file()  # whole, or it raises
    graph = openvino_core().read_model(DETECTOR_FILE)
    graph.reshape([-1, VIEW_PX, VIEW_PX, 3])
    steps = PrePostProcessor(graph)
    steps.input().tensor().set_element_type(openvino.Type.u8)
    steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(127.5).scale(127.5)
    return steps.build()


def _anchors() -> np.ndarray:
    """Return where each answer is measured from, (896, 2), as (x, y) in px: its cell's middle."""
    grids = []
    for side, answers in _GRIDS:
        y, x = np.indices((side, side)) + 0.5
        cells = np.stack([x, y], axis=-1).reshape(-1, 2) * (VIEW_PX / side)
        grids.append(np.repeat(cells, answers, axis=0))
    return np.concatenate(grids).astype(np.float32)


_ANCHORS = _anchors()


def _by_tile(answers: np.ndarray, tiles: int) -> np.ndarray:
    """Sort answers, (1, n * 896, ...), which come grid by grid, by tile: (n, 896, ...)."""
    first = tiles * _GRIDS[0][0] ** 2 * _GRIDS[0][1]
    grids = (answers[0, :first], answers[0, first:])
    return np.concatenate([grid.reshape(tiles, -1, answers.shape[-1]) for grid in grids], axis=1)


def _merged(
    scores: np.ndarray, places: np.ndarray, anchors: np.ndarray
) -> Iterable[tuple[float, np.ndarray, np.ndarray]]:
    """Yield each face's best score, its corners (2, 2) and its points (6, 2), in px of the tile.

    The answers of a face are averaged, weighted by their scores (Bazarevsky et al., "BlazeFace:
    Sub-millisecond Neural Face Detection on Mobile GPUs", 2019).
    """
    middle_and_size, points = np.split(places.reshape(-1, 8, 2), [2], axis=1)
    middles, sizes = middle_and_size[:, 0] + anchors, middle_and_size[:, 1]
    marks = np.concatenate(
        [np.stack([middles - sizes / 2, middles + sizes / 2], axis=1), points + anchors[:, None]],
        axis=1,
    )
    left = np.argsort(-scores, kind="stable")
    while len(left):
        best, others = marks[left[0], :2], marks[left, :2]
        low, high = np.maximum(best[0], others[:, 0]), np.minimum(best[1], others[:, 1])
        shared = (high - low).clip(0).prod(axis=1)
        areas = sizes[left].prod(axis=1)
        same = shared / (areas[0] + areas - shared) > _SAME_FACE
        mean = np.average(marks[left[same]], axis=0, weights=scores[left[same]])
        yield scores[left[0]], mean[:2], mean[2:]
        left = left[~same]


def _box_as_mediapipe(corners: np.ndarray) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) in whole px; a box that begins outside keeps its size."""
    (x, y), (width, height) = corners[0], corners[1] - corners[0]
    return max(0, int(x)), max(0, int(y)), int(width), int(height)
