"""`python -m tools.apps [ghost] [tryton]`: install the applications that the tests in tests/apps start."""

import argparse
import sys

from tools.apps.errors import AppsError
from tools.apps.ghost import installing as ghost
from tools.apps.installation import ensure
from tools.apps.tryton import installing as tryton

RECIPES = {recipe.name: recipe for recipe in (ghost.RECIPE, tryton.RECIPE)}


def main() -> int:
    """Install what is named (all, if nothing is); 1 when one could not be installed."""
    parser = argparse.ArgumentParser(prog="python -m tools.apps", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(RECIPES)}; all by default")
    names = parser.parse_args().names or list(RECIPES)
    if unknown := [name for name in names if name not in RECIPES]:
        parser.error(f"no application {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    try:
        for name in names:
            _install(name)
    except AppsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _install(name: str) -> None:
    recipe = RECIPES[name]
    if not recipe.installed:
        print(f"installing {name} into {recipe.folder}: this takes minutes, once", file=sys.stderr)
    print(f"{name}: {ensure(recipe)}")


if __name__ == "__main__":
    sys.exit(main())
