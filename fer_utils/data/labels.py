"""What the labels of a data set stand for: names, their synonyms, and numbers in some order."""

import re
from collections.abc import Iterable, Sequence

from ..emotions import EMOTIONS, checked_names, ours_or, plain_name
from ..files import shortened

# Each data set numbers its emotions in an order of its own; so do many copies of them.
_COMMON_ORDERS = (
    f"FER2013 counts from 0: {', '.join(EMOTIONS)}; "
    "AffectNet from 0: neutral, happy, sad, surprise, fear, disgust, angry, contempt; "
    "FER+ from 0: neutral, happy, surprise, sad, angry, disgust, fear, contempt; "
    "CK+ from 0: neutral, angry, contempt, disgust, fear, happy, sad, surprise; "
    "RAF-DB from 1: surprise, fear, disgust, happy, sad, angry, neutral."
)
_SETTLE_IT = (
    "Say what the numbers mean, from the lowest on: label_order=('surprise', 'fear', ...), or "
    "--label-order surprise fear ... on the command line."
)
# As whole numbers, or as pandas and spreadsheets write those of a column with gaps.
_NUMBER = re.compile(r"(\d+)(?:[.,]0*)?", re.ASCII)


class Labels:
    """Reads the labels of one data set.

    Names are known with their synonyms and in any case. Numbers are positions in an order; ask
    `settle_numbers` before the first is read.

    Parameters
    ----------
    label_order : sequence of str, optional
        The names of the data set's emotions, in the order of their numbers if it has numbers.

    Attributes
    ----------
    order : tuple of str or None
        `label_order`.
    emotions : tuple of str
        What labels are positions in: `EMOTIONS`, unless `label_order` names others.

    Raises
    ------
    TypeError, ValueError
        If `label_order` is no list of different names.

    Examples
    --------
    >>> labels = Labels(["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"])
    >>> labels.settle_numbers(["1", "7"])  # counted from 1: nothing is left to guess
    >>> labels.emotions[labels.parse("1")], labels.emotions[labels.parse("Anger")]
    ('surprise', 'angry')
    """

    def __init__(self, label_order: Sequence[str] | None = None) -> None:
        self.order = None if label_order is None else checked_names("label_order", label_order)
        order = self.order or EMOTIONS
        known = [plain_name(name) for name in order]
        if len(set(known)) < len(known):
            raise ValueError(
                f"label_order must name each emotion once, got two words for one in {order!r}."
            )
        self.emotions = ours_or(order)
        self._labels = {plain_name(name): label for label, name in enumerate(self.emotions)}
        self._of_number = [self._labels[name] for name in known]
        self._first = 0  # the number of the first name

    def settle_numbers(self, texts: Iterable[str], *, is_fer2013: bool = False) -> str | None:
        """Find out what the numbers among all labels of a data set mean.

        Parameters
        ----------
        texts : iterable of str
            All labels; names among them do no harm.
        is_fer2013 : bool
            Whether the file has FER2013's own form, and so its order.

        Returns
        -------
        str or None
            Which order was assumed, for the user; None if none had to be.

        Raises
        ------
        ValueError
            If the numbers are not those of FER2013's order, and no other was given.
        """
        numbers = {number for number in map(_number_in, set(texts)) if number is not None}
        if not numbers:
            return None
        count = len(self._of_number)
        starts_at_one = 0 not in numbers and count in numbers
        if self.order is not None:
            self._first = int(starts_at_one)
            return None if 0 in numbers or starts_at_one else self._assumed(numbers)
        if max(numbers) < count:
            return None if is_fer2013 else self._assumed(numbers)
        if is_fer2013 and not starts_at_one:
            return self._assumed(numbers)  # and what lies beyond it is a bad entry
        raise ValueError(
            f"the labels {_listed(numbers)} do not fit FER2013's order, in which 0 to {count - 1} "
            f"stand for {', '.join(EMOTIONS)}. Common orders are: {_COMMON_ORDERS} {_SETTLE_IT}"
        )

    def _assumed(self, numbers: set[int]) -> str:
        meaning = ", ".join(f"{number} {name}" for number, name in enumerate(self._in_order()))
        if self.order is not None:
            return (
                f"The labels are numbers ({_listed(numbers)}), and were taken to count from 0 in "
                f"the order of label_order: {meaning}. If they count from 1, leave out of "
                "label_order the names behind the last number."
            )
        return (
            f"The labels are numbers ({_listed(numbers)}), and were taken in FER2013's order: "
            f"{meaning}. Other data sets have other orders. {_SETTLE_IT}"
        )

    def _in_order(self) -> list[str]:
        return [self.emotions[label] for label in self._of_number]

    def parse(self, text: str) -> int:
        """Return the label that an emotion's name, synonym or number stands for.

        Raises
        ------
        ValueError
            If it is none of them.
        """
        label = self._labels.get(plain_name(text))
        number = _number_in(text)
        if number is not None and 0 <= number - self._first < len(self._of_number):
            label = self._of_number[number - self._first]
        if label is None:
            orders = f" Common orders are: {_COMMON_ORDERS}" if number is not None else ""
            raise ValueError(f"unknown emotion {shortened(text)!r}, {self.help}{orders}")
        return label

    def is_name(self, text: str) -> bool:
        """Tell whether a text is the name of one of the emotions."""
        return plain_name(text) in self._labels

    def is_number(self, text: str) -> bool:
        """Tell whether a text may be the number of one, counted from 0 or from 1."""
        number = _number_in(text)
        return number is not None and number <= len(self._of_number)

    @property
    def help(self) -> str:
        """What is expected, and how other emotions come in."""
        last = len(self._of_number) - 1
        return (
            f"expected one of {', '.join(self._in_order())}, or {self._first} to "
            f"{self._first + last} in that order. If the data set has other emotions, name them "
            "all: label_order=('happy', 'contempt', ...), or --label-order happy contempt ... on "
            "the command line."
        )


def _number_in(text: str) -> int | None:
    match = _NUMBER.fullmatch(text.strip())
    # More digits than any label has; Python would refuse to read thousands of them.
    return int(match[1]) if match and len(match[1]) < 10 else None


def _listed(numbers: set[int]) -> str:
    shown = sorted(numbers)
    more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    return ", ".join(map(str, shown[:12])) + more
