"""Scenarios as Harbor task directories: environments for evaluation and reinforcement learning."""
