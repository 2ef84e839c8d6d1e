"""Commands: what publishers send, one file per noun. `parse.parse_command` reads one, `normalised` writes one."""
