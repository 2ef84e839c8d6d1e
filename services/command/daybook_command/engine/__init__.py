"""The engine: owns the shards of this instance and carries out what they ask for."""
