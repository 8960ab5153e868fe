"""Reading logs: from a node or a folder of tiles, block by block, with as little kept of them as it takes."""
