"""What is looked up for a message while it is under way: the error budget that is left, and a graph of what fires."""
