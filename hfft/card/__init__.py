"""What others are told of a model: its card, and the recipe without the paths of the machine that it ran on."""
