"""`python -m duplex.examples [ghost] [tryton]`: install the applications that examples and tests start."""

import argparse
import sys

from duplex.examples.errors import ApplicationError
from duplex.examples.installation import ensure
from duplex.examples.recipes import RECIPES


def main() -> int:
    """Install what is named (all, if nothing is); 1 when one could not be installed."""
    parser = argparse.ArgumentParser(prog="python -m duplex.examples", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(RECIPES)}; all by default")
    names = parser.parse_args().names or list(RECIPES)
    if unknown := [name for name in names if name not in RECIPES]:
        parser.error(f"no application {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    try:
        for name in names:
            print(f"{name}: {ensure(RECIPES[name], _say)}")
    except ApplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
