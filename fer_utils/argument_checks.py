"""How arguments, and numbers in the environment, are checked: everywhere in the same words."""

import math
import operator
import os
from numbers import Real


def checked_number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    hint: str = "",
) -> float:
    """Return a number within limits as a float; True and False are none.

    Parameters
    ----------
    name : str
        What the messages call it.
    value : object
        What the caller was given.
    least, above, most, below : float, optional
        It must be at least the first, above the second, and so on; ``below=math.inf``: finite.
    hint : str
        Ends the message about a number outside the limits.

    Raises
    ------
    TypeError
        If `value` is no number.
    ValueError
        If it lies outside the limits, or is NaN where there are any.

    Examples
    --------
    >>> checked_number("mixup", 1, least=0)
    1.0
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}.")
    limits = [
        (holds, limit, word)
        for holds, limit, word in (
            (operator.ge, least, "at least"),
            (operator.gt, above, "above"),
            (operator.le, most, "at most"),
            (operator.lt, below, "below"),
        )
        if limit is not None
    ]
    if not all(holds(value, limit) for holds, limit, _ in limits):
        expected = " and ".join(
            "finite" if limit == math.inf else f"{word} {limit}" for _, limit, word in limits
        )
        if least is not None and most is not None:
            expected = f"between {least} and {most}"
        raise ValueError(f"{name} must be {expected}, got {value}{hint}.")
    return float(value)


def checked_share(name: str, value: object) -> float:
    """Return a number from 0 to 1 as a float.

    Raises
    ------
    TypeError
        If `value` is no number; the message calls it `name`.
    ValueError
        If it lies outside 0-1.

    Examples
    --------
    >>> checked_share("min_confidence", 0.5)
    0.5
    """
    return checked_number(name, value, least=0, most=1, hint="; 0.5 means 50%")


def checked_whole_number(
    name: str, value: object, *, least: int | None = None, most: int | None = None, hint: str = ""
) -> int:
    """Return a whole number within limits as an int.

    Parameters
    ----------
    name : str
        What the messages call it.
    value : object
        What the caller was given; NumPy's whole numbers count as such, True and False do not.
    least, most : int, optional
        Its limits.
    hint : str
        Says in the message what asks for the limits, such as " for batch norm".

    Raises
    ------
    TypeError
        If `value` is no whole number, 2.0 included.
    ValueError
        If it lies outside the limits.

    Examples
    --------
    >>> checked_whole_number("epochs", 60, least=1)
    60
    """
    limits = ""
    if least is not None:
        limits = f" of at least {least}" if most is None else f" from {least} to {most}"
    elif most is not None:
        limits = f" of at most {most}"
    message = f"{name} must be a whole number{limits}{hint}, got {value!r}."
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if isinstance(value, bool):
        raise TypeError(message)
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(message)
    return number


def checked_flag(name: str, value: object) -> bool:
    """Return True or False, which must be given as such.

    Raises
    ------
    TypeError
        If `value` is anything else, 1 and None included; the message calls it `name`.

    Examples
    --------
    >>> checked_flag("thorough", False)
    False
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return value


def number_from_environment(name: str, default: int, *, least: int = 1) -> int:
    """Return the whole number that an environment variable holds, for a Parameters cell.

    Parameters
    ----------
    name : str
        The variable, such as ``FER_EPOCHS``.
    default : int
        What counts where it is not set, or empty.
    least : int
        The least that it may be.

    Raises
    ------
    ValueError
        If it holds anything else; the message names the variable.

    Examples
    --------
    >>> number_from_environment("FER_NOT_SET", 500)
    500
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None or number < least:
        raise ValueError(
            f"The environment variable {name} must hold a whole number of at least {least}, got "
            f"{text!r}. Set it anew, or unset it for {default}."
        )
    return number
