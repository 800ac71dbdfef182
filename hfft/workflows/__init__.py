"""What the commands do: the only files that know a Recipe and a Run together."""
