"""Training itself: the loop, its optimizer and callbacks, and scoring."""
