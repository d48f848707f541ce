"""The applications that examples start, by name."""

from collections.abc import Mapping

from duplex.examples.ghost import installing as ghost
from duplex.examples.installation import Recipe
from duplex.examples.tryton import installing as tryton

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (ghost.RECIPE, tryton.RECIPE)}
