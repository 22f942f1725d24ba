"""What nbval asks of a cell besides that it runs: that nothing in its output is red."""

import pytest

from tests.helpers.notebook_outputs import red_lines


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    assert red_lines(item.test_outputs) == ""
    return result
