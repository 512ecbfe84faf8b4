"""Lists of things that can grow."""

import pytest

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.registry import Registry


def shapes():
    found = Registry("shape")
    found.add("circle", 0)
    found.register("square", "box")(4)
    return found


def test_entries_keep_their_order():
    assert list(shapes().items()) == [("circle", 0), ("square", 4), ("box", 4)]
    assert shapes().find("box") == 4


def test_a_name_is_given_once():
    with pytest.raises(ParameterError, match="shape 'circle' is registered already"):
        shapes().add("circle", 1)


def test_a_definition_that_is_run_again_takes_its_old_place():
    found = Registry("shape")

    def define(side):
        @found.register("square")
        def square():
            return side

    define(1)
    define(2)
    assert found["square"]() == 2
    with pytest.raises(ParameterError, match="'square' is registered already"):
        found.add("square", test_a_name_is_given_once)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ParameterError, match=r"'sqare' is unknown \(did you mean 'square'\?\): .* circle, square, box"):
        shapes().find("sqare")
