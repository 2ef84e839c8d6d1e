"""The engine: owns the shards of this instance and carries out their effects."""
