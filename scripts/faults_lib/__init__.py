"""What scripts/faults is made of; each file has one duty."""
