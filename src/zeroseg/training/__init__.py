"""Training: data, optimiser and schedule, the loop, checkpoints, the monitor."""
