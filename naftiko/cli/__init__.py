"""The command `naftiko`: the only place that prints. Each command is a file of its name."""
