"""How a node speaks to others: mutual TLS, links, the server and the gate before it."""
