"""The search for better settings: many runs of one recipe, on one study of Optuna, by one worker or several."""
