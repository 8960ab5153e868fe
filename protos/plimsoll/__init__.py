"""Protocol buffers of Plimsoll: the .proto files and the Python code generated from them by scripts/generate."""
