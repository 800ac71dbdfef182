"""Pretrained weights: the files they come in, whether they fit the model, and the rates of their configuration."""
