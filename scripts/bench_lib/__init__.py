"""What scripts/bench is made of; each file has one duty."""
