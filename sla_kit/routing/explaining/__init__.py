"""What the router would do with an alert, told without doing it."""
