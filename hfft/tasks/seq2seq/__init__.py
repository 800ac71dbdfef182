"""summarization and translation: a text for a text."""
