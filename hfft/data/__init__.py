"""From a source to batches: reading, checking, ordering, loading. Nothing here knows a task or a recipe."""
