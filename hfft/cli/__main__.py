"""`python -m hfft.cli`."""

from hfft.cli import main

main()
