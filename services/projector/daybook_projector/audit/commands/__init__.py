"""The subcommands of `daybook audit`, one module for each."""
