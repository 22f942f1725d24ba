import math
from decimal import Decimal

import numpy as np
import pytest

from fer_utils.argument_checks import checked_number, checked_share, checked_whole_number


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5)])
def test_numbers_become_plain_floats(value):
    assert type(checked_number("mixup", value)) is float
    assert checked_share("mixup", value) == 0.5


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (0, {"above": 0}, "x must be above 0, got 0."),
        (-1, {"least": 0}, "x must be at least 0, got -1."),
        (1.0, {"least": 0, "below": 1}, "x must be at least 0 and below 1, got 1.0."),
        (1.5, {"above": 0, "most": 1}, "x must be above 0 and at most 1, got 1.5."),
        (2, {"least": 0, "most": 1}, "x must be between 0 and 1, got 2."),
        (math.inf, {"least": 0, "below": math.inf}, "x must be at least 0 and finite, got inf."),
        (math.nan, {"above": 0}, "x must be above 0, got nan."),
        (np.float64(2), {"most": 1, "hint": "; less"}, "x must be at most 1, got 2.0; less."),
    ],
)
def test_a_number_outside_its_limits_is_named(value, limits, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        checked_number("x", value, **limits)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["0.5", None, 1j, Decimal("0.5")])
def test_what_is_no_number_is_named(value):
    for check in (checked_number, checked_share):
        with pytest.raises(TypeError, match=rf"^x must be a number, got {type(value).__name__}\.$"):
            check("x", value)


def test_a_share_tells_that_half_is_not_50():
    with pytest.raises(ValueError, match=r"^x must be between 0 and 1, got 50; 0\.5 means 50%\.$"):
        checked_share("x", 50)


@pytest.mark.parametrize("value", [7, np.int64(7), np.uint8(7)])
def test_whole_numbers_become_plain_ints(value):
    assert type(checked_whole_number("x", value, least=7, most=7)) is int


@pytest.mark.parametrize(
    ("value", "limits", "error", "message"),
    [
        (2.0, {}, TypeError, "x must be a whole number, got 2.0."),
        ("2", {"least": 1}, TypeError, "x must be a whole number of at least 1, got '2'."),
        (True, {"least": 1}, TypeError, "x must be a whole number of at least 1, got True."),
        (0, {"least": 1}, ValueError, "x must be a whole number of at least 1, got 0."),
        (3, {"most": 2}, ValueError, "x must be a whole number of at most 2, got 3."),
        (3, {"least": 1, "most": 2}, ValueError, "x must be a whole number from 1 to 2, got 3."),
        (
            1,
            {"least": 2, "hint": " for batch norm"},
            ValueError,
            "x must be a whole number of at least 2 for batch norm, got 1.",
        ),
    ],
)
def test_what_is_no_whole_number_within_limits_is_named(value, limits, error, message):
    with pytest.raises(error) as caught:
        checked_whole_number("x", value, **limits)
    assert str(caught.value) == message
