"""From configuration to the objects that it names."""
