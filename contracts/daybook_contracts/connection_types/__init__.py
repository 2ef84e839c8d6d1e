"""The configs of connections, one model per type; `configs.checked_config` checks a config."""
