"""Which weights move, and how fast: blocks of a model, freezing, adapters, parameter groups. Knows no task."""
