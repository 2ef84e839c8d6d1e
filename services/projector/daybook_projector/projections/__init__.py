"""The folds: an admitted entry in, row changes out. Pure: no I/O, no clock, no look-ups."""
