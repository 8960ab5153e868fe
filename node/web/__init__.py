"""HTTP for auditors, monitoring and witnesses (protocol section 19); imported only where config.toml asks for it."""
