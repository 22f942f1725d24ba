"""Which part of a data set is measured: one that the networks have not learned."""

import warnings

from ..data.dataset import FerDataset, Split

PARTS = ("test", "validation", "train", "all")


def choose_part(data: FerDataset, part: str = "") -> tuple[str, Split]:
    """Return the part of a data set that networks are to be measured on.

    Parameters
    ----------
    data : FerDataset
    part : str
        "test", "validation", "train", or "all" of them together; "" for the test part where there
        is one, else the validation part.

    Returns
    -------
    (str, Split)
        The part's name and its faces.

    Raises
    ------
    ValueError
        If there is no such part; or if `part` is "" and the one left was split off the training
        part (`FerDataset.is_validation_split_off`), whose faces networks may know by heart.

    Examples
    --------
    >>> from fer_utils import load_dataset
    >>> name, faces = choose_part(load_dataset("tests/fixtures/tiny_fer2013.zip", progress=False))
    >>> name, len(faces)
    ('test', 76)
    """
    there = data.splits()
    names = [name for name in PARTS if name in there or name == "all"]
    if part and part not in names:
        raise ValueError(f"part must be one of {', '.join(names)}, got {part!r}.")
    if not part and data.test is None:
        check_not_split_off(data, 'part="validation" (on the command line --part validation)')
    part = part or ("validation" if data.test is None else "test")
    if part == "validation" and data.is_validation_split_off:
        warnings.warn(
            "The validation part measured here was split off the training part. Networks that "
            "learned this data set know these faces, unless it was python -m fer_utils.training or "
            "the training notebook that split it: what follows is too good then.",
            UserWarning,
            stacklevel=2,
        )
    return part, data.all_faces() if part == "all" else there[part]


def check_not_split_off(data: FerDataset, how: str) -> None:
    """Raise ValueError where the validation part was split off the training part.

    Parameters
    ----------
    data : FerDataset
    how : str
        How its user says that the networks do not know it.
    """
    if data.is_validation_split_off:
        raise ValueError(
            "the data set names no validation part, so one was split off the training part, whose "
            "faces networks may know by heart, as the shipped ones know FER2013's. Give a data set "
            f"that names its parts. If the networks have never learned these faces, say {how}; or "
            'measure all of the data set, if it is not what they learned from: part="all" (--part '
            "all)."
        )
