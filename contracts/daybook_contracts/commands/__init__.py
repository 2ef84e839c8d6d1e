"""Commands: what publishers send, one file per noun. `parse.parse_command` reads a command, `normalised` writes it."""
