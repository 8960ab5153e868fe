"""The gRPC services of a node, one file each: they translate messages and leave the work to the modules above."""
