"""Configuration written by people: YAML into typed structs, with every mistake at once and the place of each."""
