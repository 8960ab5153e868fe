"""HTTP for auditors, monitoring and witnesses (protocol section 23); imported only where config.toml asks for it."""
