"""What was called otherwise before 0.1.0 works for one version, and says what it is called now."""

import pytest

import posekit
from posekit.deprecated import renamed


def test_former_names_of_the_package_work_and_warn():
    with pytest.warns(DeprecationWarning, match=r"posekit\.Machine is called posekit\.Backend now"):
        assert posekit.Machine is posekit.Backend
    with pytest.warns(DeprecationWarning, match=r"posekit\.machine is called posekit\.backend now"):
        assert posekit.machine is posekit.backend


def test_former_parameters_work_and_warn():
    with pytest.warns(DeprecationWarning, match="rate is called lr now") as caught:
        assert posekit.Recipe(rate=1e-3) == posekit.Recipe(lr=1e-3)
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="evaluate: machine is called backend now"), pytest.raises(posekit.PosekitError):
        posekit.evaluate("no such weights", "mannequins:2@test", machine=posekit.Backend.plain())


def test_both_names_at_once_are_refused():
    @renamed(old="new")
    def function(new=0):
        return new

    assert function() == 0 and function(3) == 3 and function(new=4) == 4
    with pytest.raises(TypeError, match="old is the former name of new, and both are given"):
        function(old=1, new=2)


def test_cards_from_before_are_read_under_todays_names():
    from posekit.engine import weights
    from posekit.engine.learning.fitting import recipe_of, same_recipe

    _, card = weights.load("lspet-64px-hg1")
    assert "rate" not in card.recipe and recipe_of(card).lr == card.recipe["lr"] > 0  # without a warning
    former = {{"lr": "rate"}.get(name, name): value for name, value in card.recipe.items()}
    assert same_recipe(card, weights.Card.from_dict(card.to_dict() | {"recipe": former})) == []
