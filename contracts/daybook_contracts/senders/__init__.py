"""Who sends commands, and what each sender may send."""
