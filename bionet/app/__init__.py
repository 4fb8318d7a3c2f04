"""What a user meets: the command line, the run of an experiment, and the page that shows its result."""
