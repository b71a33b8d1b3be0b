"""What the machine gives a run: places, room, locks, what was left to go on from."""
