"""The way to the Hub and back: publish a run, fetch one, fetch its recipe.

A published repository is a plain one of transformers or PEFT, with the weights and their card at its root. What hfft
needs beside them lies below `hfft/`: the recipe, results, environment, parameters and metrics of the run, and a list of
the files that hfft put there.
"""

from hfft.hub.pull import pull
from hfft.hub.push import push
from hfft.io.hub_client import local_recipe as recipe_path

__all__ = ["pull", "push", "recipe_path"]
