"""What token classification is made of: its options, how rows are read and encoded, how answers are worded."""
