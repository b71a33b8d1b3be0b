"""What a command shows on a terminal."""
