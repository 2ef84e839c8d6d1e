"""`python -m daybook_infra` runs the `daybook` command line, so a program can start it with its own interpreter."""

from daybook_infra.operations.cli import main

main()
