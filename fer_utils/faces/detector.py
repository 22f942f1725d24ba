"""The face detector: looks at a picture and its parts, and returns the faces found."""

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image

from ..argument_checks import checked_flag, checked_share, checked_whole_number
from ..images import ImageSource, load_image
from ..processes import usable_cores
from .blazeface import Viewer, metrics_warning, read_detector_file
from .boxes import FaceBox, is_same_face, merge_faces, overlap
from .tile_viewer import TileViewer, tile_viewer
from .views import VIEW_PX, View, shrink, tiles, window_around

# Lower scores make faces of the cat and the flower among the photographs that scikit-image and
# scikit-learn ship.
MIN_SCORE = 0.6
# What scores less at first sight is not worth a closer look, which then decides.
_WORTH_A_LOOK = 0.3
# Up to this longer side one view of the whole picture is enough, unless it is to be thorough.
_LARGEST_WITHOUT_TILES_PX = 640
# The smallest tiles are shrunk this many times.
_FINEST, _FINEST_WHEN_THOROUGH = 3, 2
# The side of a face's own window in the closer look, as a multiple of its box.
_WINDOW_TO_BOX = 2.4
# What a face that is clear at first sight may fall short by in the closer look.
_LENIENCE = 0.05
# The score a doubtful face must reach, from the one asked for (0) to certainty (1): with
# less, headlamps and wheels count as faces.
_SURER = 0.2
# A doubtful face that scores this much in its first closer look needs no second one.
_CERTAIN = 0.9
# Boxes that overlap this much are the same face, before and after it has moved.
_SAME_PLACE = 0.2


class FaceDetector:
    """Finds faces with MediaPipe's short-range BlazeFace; opens no network connection.

    BlazeFace sees 128x128 px only and misses the small faces in them. So the detector looks at
    the whole picture and, if that is large, at overlapping tiles of it, at several scales. A
    face counts when it is seen again in a closer look at its own surroundings, which places its
    eyes and its mouth more precisely. What share of the faces of each size is found that way,
    tests/benchmarks/bench_detection.py prints. Where OpenVINO is installed and quick at it, it
    computes the same for many tiles at once. Close the detector with `close`, or use it in a
    ``with`` statement. Pickled and copied, it is its settings, and is made anew from them; so it
    is in a forked child.

    Parameters
    ----------
    min_score : float
        Faces with a lower score than this, from 0 to 1, are left out. A face that the look at the
        whole picture finds may fall short by 0.05 in the closer look, whose score it keeps. Those
        found in tiles only must reach a higher score there and, below 0.9, in one more look:
        every tile is a chance to be mistaken.
    thorough : bool
        Whether to look for the smallest faces too. By default pictures of up to 640 px are
        looked at as a whole, and in larger ones the tiles grow with the picture, so that a look
        at it takes about the same time. With `thorough`, tiles of a fixed, smaller size cover
        any picture; the time grows with its area.
    threads : int, optional
        How many cores to keep busy, where several views are looked at; MediaPipe uses 3 at most.
        By default all that the process may use.

    Raises
    ------
    ValueError
        If `min_score` is outside 0-1, `threads` below 1, or the detector's file is not the one
        that was shipped.
    TypeError
        If `min_score` is no number, `threads` no whole number, or `thorough` is neither True nor
        False.
    FileNotFoundError
        If the detector's file is missing.
    ImportError
        If MediaPipe, or a system library that it needs, is not installed.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> with_faces = fer.FaceDetector().detect(astronaut())
    >>> len(with_faces), with_faces[0].score > 0.9
    (1, True)
    """

    def __init__(
        self,
        min_score: float = MIN_SCORE,
        *,
        thorough: bool = False,
        threads: int | None = None,
    ) -> None:
        self.thorough = checked_flag("thorough", thorough)
        self._threads = (
            None if threads is None else checked_whole_number("threads", threads, least=1)
        )
        if warning := metrics_warning():
            warnings.warn(warning, stacklevel=2)
        self.min_score = checked_share("min_score", min_score)
        self._viewer: Viewer | None = self._new_viewer()
        # Made for the first large picture.
        self._tile_viewer: TileViewer | Viewer | None = None

    def detect(self, image: ImageSource) -> list[FaceBox]:
        """Find the faces in a picture.

        Parameters
        ----------
        image : str, Path, bytes, PIL.Image.Image or numpy.ndarray
            Any picture that `load_image` takes.

        Returns
        -------
        list of FaceBox
            From left to right, then from top to bottom; empty when there is no face.

        Raises
        ------
        FileNotFoundError, TypeError
            As `load_image` raises them.
        ValueError
            As `load_image` raises it, or the detector is closed.
        """
        picture = self._open(image)
        clear, doubtful = self._look_everywhere(picture)
        faces = self._look_closer(picture, clear, self.min_score - _LENIENCE)
        return _in_order(faces + self._make_sure(picture, _others(doubtful, faces)))

    def follow(self, image: ImageSource, faces: Sequence[FaceBox]) -> list[FaceBox]:
        """Find known faces again in a video's next picture, and newcomers unless they are small.

        It takes one look at each known face's surroundings and one at the whole picture, so it
        is much quicker than `detect` in a large picture. A face is found again if it has moved
        by no more than about half its own size.

        Parameters
        ----------
        image : str, Path, bytes, PIL.Image.Image or numpy.ndarray
            Any picture that `load_image` takes.
        faces : sequence of FaceBox
            The faces found in the picture before, which has the same size.

        Returns
        -------
        list of FaceBox
            As from `detect`. A known face that is not seen again is left out.

        Raises
        ------
        FileNotFoundError
            As `load_image` raises it.
        TypeError
            As `load_image` raises it, or `faces` is no sequence of `FaceBox`.
        ValueError
            As `load_image` raises it, one of `faces` lies outside the picture, or the detector
            is closed.
        """
        picture = self._open(image)
        _check_faces(faces, picture.size)
        known = self._look_closer(picture, faces, self.min_score)
        ((_, in_whole),) = self._open_viewer().look([_whole(picture)], picture.size)
        newcomers = _others(self._clear(in_whole), known)
        return _in_order(known + self._look_closer(picture, newcomers, self.min_score))

    def close(self) -> None:
        """Free the detector's memory. Closing twice does no harm."""
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = self._tile_viewer = None

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        self._open_viewer()
        return {
            "min_score": self.min_score,
            "thorough": self.thorough,
            "threads": self._threads,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def _new_viewer(self) -> Viewer:
        return Viewer(read_detector_file(), self._worth_a_look, self._cores)

    @property
    def _worth_a_look(self) -> float:
        return min(_WORTH_A_LOOK, self.min_score)

    @property
    def _cores(self) -> int:
        return self._threads or usable_cores()

    def _open_viewer(self) -> Viewer:
        viewer = self._viewer  # which another thread may take away
        if viewer is None:
            raise ValueError("this FaceDetector is closed; make a new one with FaceDetector().")
        return viewer

    def _open(self, image: ImageSource) -> Image.Image:
        if self._open_viewer().process != os.getpid():  # in a forked child
            self._viewer, self._tile_viewer = self._new_viewer(), None
        return Image.fromarray(load_image(image))

    def _look_everywhere(self, picture: Image.Image) -> tuple[list[FaceBox], list[FaceBox]]:
        """Return the clear faces in a view of the whole picture; the doubtful, and those in tiles.

        The latter may show a face several times.
        """
        finest = self._finest_scale(max(picture.size))
        ((_, in_whole),) = self._open_viewer().look([_whole(picture)], picture.size)
        doubtful = [face for face in in_whole if face.score < self.min_score]
        if finest:
            for tile, faces in self._look_at(tiles(picture, finest), picture.size):
                doubtful += [face for face in faces if _fits_in_tile(face, tile)]
        return self._clear(in_whole), doubtful

    def _look_at(
        self, some_tiles: Iterable[View], picture_size: tuple[int, int]
    ) -> Iterable[tuple[View, list[FaceBox]]]:
        """Find the faces in tiles: all at once where that is quicker, else one by one."""
        viewer = self._open_viewer()
        if self._tile_viewer is None:
            self._tile_viewer = tile_viewer(self._worth_a_look, self._cores) or viewer
        return (self._tile_viewer or viewer).look(some_tiles, picture_size)

    def _clear(self, faces: Sequence[FaceBox]) -> list[FaceBox]:
        return [face for face in faces if face.score >= self.min_score]

    def _finest_scale(self, longer_side: int) -> int | None:
        """Say how many times the smallest tiles are to be shrunk; None if no tiles are needed."""
        if self.thorough:
            return _FINEST_WHEN_THOROUGH
        if longer_side <= _LARGEST_WITHOUT_TILES_PX:
            return None
        return max(_FINEST, math.ceil(longer_side / _LARGEST_WITHOUT_TILES_PX))

    def _make_sure(self, picture: Image.Image, faces: Sequence[FaceBox]) -> list[FaceBox]:
        """Look twice: at a texture taken for a face, a slightly shifted look is less certain."""
        surer = self.min_score + _SURER * (1 - self.min_score)
        seen = self._look_closer(picture, faces, surer)
        certain = [face for face in seen if face.score >= _CERTAIN]
        others = [face for face in seen if face.score < _CERTAIN]
        return certain + self._look_closer(picture, others, surer)

    def _look_closer(
        self, picture: Image.Image, faces: Sequence[FaceBox], min_score: float
    ) -> list[FaceBox]:
        """Find faces again in windows of their own, where their points are seen more sharply."""
        windows = (window_around(face.box, _WINDOW_TO_BOX, picture.size) for face in faces)
        sights = self._open_viewer().look(
            (shrink(picture, window) for window in windows), picture.size
        )
        again = [
            max(found, key=lambda other: overlap(face, other), default=None)
            for face, (_, found) in zip(faces, sights, strict=True)
        ]
        return merge_faces(
            closer
            for face, closer in zip(faces, again, strict=True)
            if closer and overlap(face, closer) > _SAME_PLACE and closer.score >= min_score
        )


def _whole(picture: Image.Image) -> View:
    return shrink(picture, (0, 0, *picture.size))


def _others(faces: Sequence[FaceBox], known: Sequence[FaceBox]) -> list[FaceBox]:
    """Leave one box a face, and none of the faces that are known already."""
    return [
        face for face in merge_faces(faces) if not any(is_same_face(face, other) for other in known)
    ]


def _fits_in_tile(face: FaceBox, view: View) -> bool:
    """Tell whether a face takes up no more than half a tile; more is often a part of a face."""
    return max(face.box[2:]) <= VIEW_PX / 2 * view.scale[0]


def _in_order(faces: Sequence[FaceBox]) -> list[FaceBox]:
    """Merge what several looks found and sort it from left to right, then top to bottom."""
    return sorted(merge_faces(faces), key=lambda face: face.box)


def _check_faces(faces: object, picture_size: tuple[int, int]) -> None:
    if not isinstance(faces, Sequence) or not all(isinstance(face, FaceBox) for face in faces):
        raise TypeError(
            f"faces must be a list of FaceBox, as detect and follow return it, got {_kind(faces)}."
        )
    width, height = picture_size
    for x, y, w, h in (face.box for face in faces):
        if x < 0 or y < 0 or x + w > width or y + h > height:
            raise ValueError(
                f"faces must lie inside the picture of {width}x{height} px, one has the box "
                f"{(x, y, w, h)}; follow faces between pictures of the same size, and call "
                "detect when it changes."
            )


def _kind(faces: object) -> str:
    name = type(faces).__name__
    if not isinstance(faces, Sequence) or isinstance(faces, str):
        return name
    strangers = {type(face).__name__ for face in faces if not isinstance(face, FaceBox)}
    return f"a {name} with {', '.join(sorted(strangers))}"
