"""Pretrained models: found, read, checked and fitted with what a task needs."""
