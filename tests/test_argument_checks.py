import math
from decimal import Decimal

import numpy as np
import pytest

from fer_utils.argument_checks import (
    checked_flag,
    checked_number,
    checked_share,
    checked_whole_number,
    number_from_environment,
)


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


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_a_switch_is_true_or_false(value):
    assert checked_flag("x", True) is True
    with pytest.raises(TypeError) as caught:
        checked_flag("x", value)
    assert str(caught.value) == f"x must be True or False, got {value!r}."


@pytest.mark.parametrize(("text", "number"), [("12", 12), (" 7 ", 7), ("", 500), (" ", 500)])
def test_an_environment_variable_gives_a_number_or_the_default(monkeypatch, text, number):
    monkeypatch.setenv("FER_SAMPLE", text)
    assert number_from_environment("FER_SAMPLE", 500) == number


def test_an_environment_variable_that_is_not_set_gives_the_default(monkeypatch):
    monkeypatch.delenv("FER_SAMPLE", raising=False)
    assert number_from_environment("FER_SAMPLE", 500) == 500


@pytest.mark.parametrize("text", ["abc", "1.5", "1e3", "0", "-3", "None"])
def test_anything_else_in_an_environment_variable_is_named_with_it(monkeypatch, text):
    monkeypatch.setenv("FER_SAMPLE", text)
    with pytest.raises(ValueError, match=r"FER_SAMPLE must .* at least 1, got") as caught:
        number_from_environment("FER_SAMPLE", 500)
    assert repr(text) in str(caught.value)
    assert str(caught.value).endswith("unset it for 500.")


def test_an_environment_variable_may_be_zero_where_it_means_all(monkeypatch):
    monkeypatch.setenv("FER_LIMIT", "0")
    assert number_from_environment("FER_LIMIT", 9, least=0) == 0
