"""`python -m duplex` is `duplex`."""

from duplex.cli.main import main

main()
