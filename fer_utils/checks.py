"""What several rooms ask of their arguments."""

from numbers import Real


def checked_share(name: str, value: object) -> float:
    """Return a number from 0 to 1 as a float.

    Raises
    ------
    TypeError
        `value` is no number; the message calls it `name`.
    ValueError
        It lies outside 0-1.
    """
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value}; 0.5 means 50%")
    return float(value)
