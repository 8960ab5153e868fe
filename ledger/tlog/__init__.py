"""The transparency-log standards that outside tools check us by (RFC 6962, C2SP). One file a standard."""
