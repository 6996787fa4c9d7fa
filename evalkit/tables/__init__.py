"""What a run writes about its questions, some of them at a time."""
