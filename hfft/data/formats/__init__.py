"""Files of rows, one format each."""
