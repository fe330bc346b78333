"""Letters: what a mail says, out of any bytes, read apart from the server."""
