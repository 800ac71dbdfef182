"""What a finished model is asked: texts, pairs, pictures, rows or files as people give them, made into rows."""
