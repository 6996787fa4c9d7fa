"""What a run runs on: processor, memory, accelerators, clusters."""
