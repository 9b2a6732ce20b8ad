"""`python -m ops.cli` is the command `samhub`."""

from ops.cli.app import main

main()
