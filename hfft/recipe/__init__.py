"""The recipe: what a run is to be."""

from hfft.recipe.recipe import Recipe as Recipe
