"""A task that hfft does not have, as a package of somebody else's would bring it: reached by its dotted path alone."""
