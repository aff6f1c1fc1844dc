"""`python -m concertclean` is the same as `concertclean`."""

from concertclean.cli.app import main

main()
