"""token-classification: a tag for each word, or spans in texts."""
