"""The command line: every command of `hfft`, what mistakes are answered with, exit codes."""

from hfft.cli import commands, sweep  # which put the commands into the app
from hfft.cli.app import app
from hfft.cli.commands import init
from hfft.cli.entry import main

__all__ = ["app", "commands", "init", "main", "sweep"]
