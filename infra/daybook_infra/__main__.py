"""`python -m daybook_infra` is `daybook`: for starting it with the very interpreter that runs already."""

from daybook_infra.operations.cli import main

main()
