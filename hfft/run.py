"""The door that `accelerate launch -m hfft.run RECIPE` opens; the same as `hfft train RECIPE`."""

from __future__ import annotations

import sys

from hfft.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
