"""`naftiko workflow ...`: each subcommand is a module here, with `add_arguments` and `run`."""
