"""What reads and writes: the run folder, the console, the Hub."""
