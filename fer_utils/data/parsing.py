"""One picture of a data set: its part, its pixels, and what is wrong with it."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..files import first_few, shortened
from ..images import load_image, to_gray, what_is_missing

IMAGE_SIZE = 48
IMAGE_SHAPE = (IMAGE_SIZE, IMAGE_SIZE)

# FER2013's own words for its parts: in the CSV's column Usage, and before a picture's number.
_PART_OF_USAGE = {"training": "train", "publictest": "validation", "privatetest": "test"}
_PART_WORDS = {
    "train": "train training trainset",
    "validation": "validation validate valid val validset valset dev devset eval publictest",
    "test": "test testing tests testset privatetest holdout heldout",
}
_PART_OF_WORD = {word: part for part, words in _PART_WORDS.items() for word in words.split()}


class Record(NamedTuple):
    """One labelled picture."""

    part: str  # "train", "validation" or "test"
    label: int  # position in the data set's emotions
    image: np.ndarray  # uint8 (48, 48)


@dataclass
class ReadingLog:
    """Stops at the first bad entry, or lists them all where the user asked for that."""

    skip_bad: bool
    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def report_bad(self, entry: str, reason: ValueError) -> None:
        """Note that `entry` is unusable; raise ValueError unless it may be skipped."""
        if not self.skip_bad:
            raise ValueError(
                f'{entry}: {reason} Repair or remove it, or pass on_error="skip" (on the command '
                "line --on-error skip) to leave out such entries."
            ) from reason
        self.bad.append(f"{entry}: {reason}")

    def note_left_out(self, what: str, names: list[str]) -> None:
        """Note which entries are not part of the data, if there are any."""
        if names:
            self.notes.append(f"{what} left out ({len(names)}): {first_few(names)}.")

    def messages(self) -> list[str]:
        """Return the sentences that the user should see."""
        skipped = [f"Bad entries skipped ({len(self.bad)}): {first_few(self.bad)}"]
        return self.notes + (skipped if self.bad else [])


def parse_usage(text: str) -> str:
    """Return the part that a word of FER2013's column Usage stands for.

    Raises
    ------
    ValueError
        If it is another word.
    """
    part = _PART_OF_USAGE.get(text.strip().lower())
    if part is None:
        raise ValueError(
            f"unknown Usage {shortened(text)!r}, expected Training, PublicTest (validation) or "
            "PrivateTest (test)."
        )
    return part


def parse_pixels(text: str) -> np.ndarray:
    """Return FER2013's 2304 numbers between blanks as uint8 (48, 48).

    Raises
    ------
    ValueError
        If there are more or fewer, or one is not a whole number from 0 to 255.
    """
    words = text.split()
    try:
        values = bytes(map(int, words))
    except ValueError:
        position, word = next(pair for pair in enumerate(words) if not _is_pixel(pair[1]))
        raise ValueError(
            f"pixel {position + 1} is {shortened(word)!r}, expected whole numbers from 0 to 255 "
            "with blanks between them."
        ) from None
    if len(values) != IMAGE_SIZE**2:
        raise ValueError(f"{len(values)} pixels, expected {IMAGE_SIZE**2} (48 x 48).")
    return np.frombuffer(values, np.uint8).reshape(IMAGE_SHAPE)


def _is_pixel(word: str) -> bool:
    # Python refuses to read a number of thousands of digits.
    return word.isdecimal() and len(word) < 10 and int(word) <= 255


def part_of(entry: str) -> str | None:
    """Return the part that a picture's file name (``PublicTest_1.jpg``), else a folder, tells."""
    path = PurePosixPath(entry)
    prefix = path.name.split("_")[0].lower()
    if prefix in _PART_OF_USAGE:
        return _PART_OF_USAGE[prefix]
    parts = (_part_in_words(folder.name) for folder in path.parents)
    return next((part for part in parts if part), None)


def part_of_csv(entry: str) -> str | None:
    """Return the part that a CSV's file name, such as ``train_labels.csv``, tells."""
    return _part_in_words(PurePosixPath(entry).stem)


def _part_in_words(name: str) -> str | None:
    """Return the part that a name such as ``Test-Set 2`` speaks of, if it is one alone."""
    words = re.split(r"[^a-z]+", name.lower())
    parts = {_PART_OF_WORD[word] for word in words if word in _PART_OF_WORD}
    return parts.pop() if len(parts) == 1 else None


def check_parts(source: Path, parts: Mapping[str, str | None]) -> None:
    """Refuse to guess: beside named parts, pictures of none may well be a test part.

    Parameters
    ----------
    source : Path
        The data set, for the message.
    parts : mapping of str to str or None
        The part of each picture, by its path; None where its name and folders tell none.

    Raises
    ------
    ValueError
        If some pictures have a part and others none.
    """
    lost = [picture for picture, part in parts.items() if part is None]
    if lost and len(lost) < len(parts):
        raise ValueError(
            f"{source}: the folder {str(PurePosixPath(lost[0]).parent)!r} names no part of the "
            f"data set ({first_few(lost)}), while others are named train, validation or test. "
            "Rename or move it so that its path holds one of these words, or take it out."
        )


def decode_picture(data: bytes) -> np.ndarray:
    """Decode a picture file of any size and colour into uint8 (48, 48).

    A picture that is not square loses what its longer side has too much at both ends, so that
    no face is squashed.

    Raises
    ------
    ValueError
        If the bytes are no picture that can be read.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            if image.mode == "L" and image.size == IMAGE_SHAPE and not _is_turned(image):
                return np.array(image)
            gray = Image.fromarray(to_gray(load_image(image)))
            return np.array(ImageOps.fit(gray, IMAGE_SHAPE, Image.Resampling.LANCZOS))
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        # Pillow's own message would show the address of a buffer.
        why = what_is_missing(io.BytesIO(data)) or "its bytes are of no known format"
        raise ValueError(f"not a readable picture ({why}).") from error
    # On damaged bytes Pillow's decoders raise nearly anything.
    except Exception as error:
        raise ValueError(f"not a readable picture ({error}).") from error


def _is_turned(image: Image.Image) -> bool:
    orientation = 0x0112
    return "exif" in image.info and image.getexif().get(orientation, 1) != 1
