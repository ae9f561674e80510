"""D3's listings: each defect, and that its mend removes it."""

import numpy as np
import pytest

from promo_repro.agents import continuous_listings as listings


def test_names_of_the_class():
    code, mended = listings.DISCOUNT_CLASS, listings.MENDED_CLASS
    assert listings.unused_imports(code) == 1
    assert listings.unused_imports(mended) == 0
    assert listings.unused_imports(listings.SCRIPT_IMPORTS) == 2
    assert listings.idle_attributes(code) == ("learning_rate",)
    assert listings.idle_attributes(mended) == ()
    assert listings.idle_arguments(code, "update") == ("reward", "state")
    assert listings.idle_arguments(mended, "update") == ()
    assert listings.unbound_names(code) == ("optimizer",)
    assert listings.unbound_names(mended) == ()
    with pytest.raises(ValueError, match="no method 'train'"):
        listings.idle_arguments(code, "train")


def test_layers():
    assert listings.activation_error("layer") == "TypeError"
    assert listings.activation_error("output") == ""
    assert listings.layer_error(2, 3) == "RuntimeError"
    assert listings.layer_error(2, 1) == ""
    assert listings.layer_error(100, 3) == ""
    assert listings.weight_sizes(2, 3, 100) == ((2, 100), (100, 100), (100, 3))


def test_activations_make_the_network():
    assert listings.call_curvature("identity", 0) < 1e-12
    assert listings.call_curvature("relu", 0) > 1e-3
    low, high = listings.rate_range("sigmoid", 0)
    assert 0 < low < high < 1
    assert listings.rate_range("identity", 0)[0] < 0
    assert listings.actor("relu", "sigmoid", 0).shape == (500, 2)


def test_objects_that_do_not_fit():
    assert listings.method_error("update") == "AttributeError"
    assert listings.method_error("apply_gradients") == "AttributeError"
    assert listings.method_error("step") == ""
    assert listings.foreign_error("numpy") == "TypeError"
    assert listings.foreign_error("torch") == ""


def test_the_update_learns_nothing_from_its_own_output():
    assert listings.imitation_move((0.3, 0.2), 100) == 0
    assert listings.imitation_move((0.2, 0.4), 100) > 1e-4
    assert listings.reward_effect(0.0, 1.0, "listing") == 0
    assert listings.reward_effect(-1.0, 1.0, "critic") > 1e-3
    same = listings.imitation_step(1.0, (0.2, 0.4)), listings.imitation_step(1.0, (0.2, 0.4))
    assert np.array_equal(*same)
